"""A saved model, loaded to be served: from the registry, a run's model, or a folder; no code of it is run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray

from search.config.credentials import hide_in
from search.config.places import sqlite_file
from search.errors import UserError, shortened
from search.tracking.models.folder import ForeignModel, SavedModel, read_model_folder
from search.tracking.models.program import ForeignProgram, Program, in_short, load_program
from search.tracking.uri import default_store, printable_uri

_TRIED_BATCHES = (2, 1, 3)  # a batch may have been frozen when the program was exported


@dataclass(frozen=True)
class LoadedModel:
    """A model that predicts, and what its card says.

    Example:
        >>> def even(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        ...     return np.full((len(images), 2), 0.5, np.float32)
        >>> LoadedModel(even, ("cat", "dog"), {"sweep": "night"}).predict(np.zeros((1, 32, 32, 3), np.uint8))
        array([[0.5, 0.5]], dtype=float32)
    """

    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    class_names: tuple[str, ...]
    card: dict[str, Any]


def load_model(source: str, tracking_uri: str, threads: int | None = None) -> LoadedModel:
    """Load a model that a retraining has saved, and try it.

    Only its graph of known layers and its weights are read: nothing is imported, unpickled or evaluated.

    Args:
        source: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-...`, `runs:/...` or a folder.
        tracking_uri: of the store that holds it, unless it is a folder.
        threads: torch's CPU threads; None leaves them as they are.

    Raises:
        UserError: there is no such model, it is not one of ours, or what it predicts are no probabilities.
    """
    if "://" not in source and not source.startswith(("models:/", "runs:/")) and not Path(source).is_dir():
        raise UserError(f"model {source!r} is no folder: name one, or models:/cifar-cnn@champion")
    saved = _read(source, tracking_uri)
    if threads is not None:
        torch.set_num_threads(threads)
    images = np.random.default_rng(0).integers(0, 256, (max(_TRIED_BATCHES), 32, 32, 3), np.uint8)
    try:
        predict = _predictor(load_program(saved.program, torch.from_numpy(images)))
        _try(predict, images, len(saved.class_names))
    except (ForeignModel, ForeignProgram) as error:
        raise _refused(source, error) from error
    return LoadedModel(predict, saved.class_names, saved.card)


def _read(source: str, tracking_uri: str) -> SavedModel:
    """What the model's folder holds; a remote one is downloaded first, and not kept."""
    try:
        if Path(source).is_dir():
            return read_model_folder(Path(source))
        file = sqlite_file(tracking_uri)
        if file is not None and not file.exists() and "://" not in source:
            raise FileNotFoundError(f"there is no {file}")  # MLflow would make an empty store
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # for seven small files
        with tempfile.TemporaryDirectory() as scratch, default_store(tracking_uri):
            return read_model_folder(Path(download_artifacts(artifact_uri=source, dst_path=scratch)))
    except ForeignModel as error:
        raise _refused(source, error) from error
    except (MlflowException, OSError, ValueError) as error:
        cause = shortened(hide_in(str(error)))
        raise UserError(
            f"model {source!r} cannot be loaded from {printable_uri(tracking_uri)} ({cause}): check the "
            "name, `tracking_uri`, and that a retraining has registered one"
        ) from error


def _refused(source: str, why: ValueError) -> UserError:
    return UserError(
        f"model {source!r} cannot be loaded: {why}. Only what a retraining has saved is served, for "
        "anything else may run code when it is loaded; name such a model, or retrain a sweep"
    )


def _predictor(program: Program) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = program(torch.from_numpy(images)).numpy()
        return probabilities

    return predict


def _try(
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]], images: NDArray[np.uint8], classes: int
) -> None:
    """Refuse a model that does not answer every number of images with probabilities of its classes."""
    for count in _TRIED_BATCHES:
        try:
            output = predict(images[:count])
        except Exception as error:  # a graph of known layers can still be put together wrongly
            raise ForeignProgram(f"it fails on {count} images ({in_short(error)})") from error
        if output.shape != (count, classes) or output.dtype != np.float32:
            raise ForeignProgram(
                f"it answers {count} images with {output.dtype} {output.shape}, not float32 "
                f"{(count, classes)}"
            )
        if not (
            np.isfinite(output).all() and (output >= 0).all() and np.allclose(output.sum(1), 1, atol=1e-3)
        ):
            raise ForeignProgram("its answers are no probabilities: not between 0 and 1, or not summing to 1")
