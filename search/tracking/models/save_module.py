"""A user's module as MLflow keeps it: exported with an example of its input, loadable without its code."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.pytorch
import torch
from mlflow.models import infer_signature
from torch import Tensor, nn


@dataclass(frozen=True)
class ModuleCard:
    """Where a module comes from and how good it is; rides in its MLmodel file as metadata.

    Example:
        >>> card = ModuleCard(
        ...     name="mlp-best",
        ...     module="mine:Mlp",
        ...     sweep="mlp",
        ...     trial=3,
        ...     params={"lr": 0.05},
        ...     test={"test_acc": [0.91, 0.93]},
        ...     confirmation=None,
        ...     code=None,
        ...     versions={"torch": "2.15.0"},
        ... )
        >>> asdict(card)["test"]
        {'test_acc': [0.91, 0.93]}
    """

    name: str
    module: str
    sweep: str
    trial: int
    params: dict[str, Any]
    test: dict[str, list[float]]  # each metric of the test, by seed; the module is the first seed's
    confirmation: list[dict[str, Any]] | None  # the finalists that it won against, with their intervals
    code: str | None  # the commit it was trained with
    versions: dict[str, str]  # of the libraries


class NotExported(ValueError):
    """A module that cannot be saved for serving; says why, and what its author can do."""


def save_module(module: nn.Module, example: Tensor, card: ModuleCard, folder: Path) -> Path:
    """Save a module as an MLflow model folder, whole or not at all.

    Args:
        module: in eval mode, on the CPU; its `forward` is what is served.
        example: an input of it, (B, ...) with any number of rows but one, which would be taken for fixed.
        card: its provenance.
        folder: replaced if it exists.

    Raises:
        NotExported: `forward` fails on the example, gives no tensor, or cannot be exported.
    """
    # MLflow looks for pip to write it into a conda file, and for a build of torch that pip does not name.
    for noisy in ("mlflow.utils.environment", "mlflow.utils.requirements_utils"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with torch.inference_mode():
            output = module(example)
    except Exception as error:  # of whatever kind the user's code raises
        raise NotExported(f"its forward fails on {_called(example)} ({_cause(error)})") from error
    if not isinstance(output, Tensor):
        raise NotExported(f"its forward returns {type(output).__name__}: return a tensor")
    try:
        with warnings.catch_warnings():
            # Of every recurrent layer, whose flat list of weights it takes for attributes.
            warnings.filterwarnings("ignore", "The tensor attributes? .* assigned during export", UserWarning)
            mlflow.pytorch.save_model(
                module,
                part,
                signature=infer_signature(example.numpy(), output.numpy()),
                input_example=example.numpy(),
                serialization_format="pt2",
                pip_requirements=[f"torch=={version('torch')}", f"numpy=={version('numpy')}"],
                metadata=json.loads(json.dumps(asdict(card), default=str)),
            )
    except Exception as error:  # of whatever kind torch.export raises of code that it cannot follow
        shutil.rmtree(part, ignore_errors=True)
        raise NotExported(f"torch.export cannot follow its forward ({_cause(error)})") from error
    shutil.rmtree(folder, ignore_errors=True)
    return part.rename(folder)


def _called(example: Tensor) -> str:
    return f"{str(example.dtype).removeprefix('torch.')} {tuple(example.shape)}"


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
