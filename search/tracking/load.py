"""A saved model, loaded to be served: from the registry, a run's model, or a folder; nothing is unpickled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.pytorch
import numpy as np
import torch
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from numpy.typing import NDArray

from search.errors import UserError
from search.tracking.uri import default_store, printable_uri

_FILE = "model.pt2"  # what torch.export writes: a graph and weights, no code


@dataclass(frozen=True)
class LoadedModel:
    """A model that predicts, and what its card says."""

    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    class_names: tuple[str, ...]
    card: dict[str, Any]


def load_model(source: str, tracking_uri: str, threads: int | None = None) -> LoadedModel:
    """Load a model that `retrain_best.py` has saved.

    Args:
        source: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/m-...`, `runs:/...` or a folder.
        tracking_uri: of the store that holds it, unless it is a folder.
        threads: torch's CPU threads; None leaves them as they are.

    Raises:
        UserError: there is no such model, or it is not one of ours.
    """
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    if "://" not in source and not source.startswith(("models:/", "runs:/")) and not Path(source).is_dir():
        raise UserError(f"model {source!r} is no folder: name one, or models:/cifar-cnn@champion")
    try:
        with default_store(tracking_uri):
            module, card = _load(source)
    except (MlflowException, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        cause = " ".join(str(error).split())[:300]
        raise UserError(
            f"model {source!r} cannot be loaded from {printable_uri(tracking_uri)} ({cause}): check the "
            "name, --tracking-uri, and that retrain_best.py has registered one"
        ) from error
    if threads is not None:
        torch.set_num_threads(threads)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            probabilities: NDArray[np.float32] = module(torch.from_numpy(images)).numpy()
        return probabilities

    return LoadedModel(predict, tuple(card["class_names"]), card)


def _load(source: str) -> tuple[Callable[[torch.Tensor], torch.Tensor], dict[str, Any]]:
    folder = source if Path(source).is_dir() else download_artifacts(artifact_uri=source)
    described = Model.load(folder)
    card = dict(described.metadata or {})
    data = Path(folder, described.flavors.get("pytorch", {}).get("model_data", "data"))
    if not (data / _FILE).is_file() or "class_names" not in card:
        raise UserError(
            f"model {source!r} was not saved by retrain_best.py: only its models, written by torch.export, "
            "are served, for any other may run code when it is loaded"
        )
    return mlflow.pytorch.load_model(folder), card
