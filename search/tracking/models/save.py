"""A trained model as MLflow keeps it: loadable without this project, and without unpickling anything."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

import mlflow.pytorch
import numpy as np
from mlflow.entities import LoggedModel, LoggedModelStatus, Metric, RunTag
from mlflow.models.signature import ModelSignature
from mlflow.types import Schema, TensorSpec
from torch import nn

from search.tracking.answering import answering
from search.tracking.models.tested import Tested
from search.tracking.store import TrackingStore

_PIXELS = (32, 32, 3)
_CLASSIFIER = "classifier"
_URI, _SEEDS = "sweep.model_uri", "sweep.model_seeds"


@dataclass(frozen=True)
class ModelCard:
    """Where a model comes from and how good it is; rides in its MLmodel file as metadata.

    Example:
        >>> card = ModelCard(
        ...     name="night-best",
        ...     class_names=("cat", "dog"),
        ...     sweep="night",
        ...     trial=3,
        ...     train_config={"lr": 0.05},
        ...     data={"dataset": "folder"},
        ...     test_accuracies=(0.91, 0.93),
        ...     test={"mean": 0.92},
        ...     confirmation=None,
        ...     code=None,
        ...     versions={"torch": "2.15.0"},
        ... )
        >>> asdict(card)["train_config"]
        {'lr': 0.05}
    """

    name: str
    class_names: tuple[str, ...]
    sweep: str
    trial: int
    train_config: dict[str, Any]
    data: dict[str, Any]
    test_accuracies: tuple[float, ...]  # by seed; the model is the first seed's
    test: dict[str, Any]  # their mean and its interval
    confirmation: list[dict[str, Any]] | None  # the finalists that it won against, with their intervals
    code: str | None  # the commit it was trained with
    versions: dict[str, str]  # of the libraries
    test_reads: int | None = None  # retrainings that had read the test set by then, this one included


def save_model(model: nn.Module, card: ModelCard, folder: Path) -> Path:
    """Save a model as an MLflow model folder, whole or not at all.

    Args:
        model: uint8 (B, 32, 32, 3) -> probabilities (B, classes), in eval mode on the CPU.
        card: its provenance.
        folder: replaced if it exists.
    """
    # MLflow looks for pip to write it into a conda file that nobody here uses.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    mlflow.pytorch.save_model(
        model,
        part,
        signature=ModelSignature(
            Schema([TensorSpec(np.dtype("uint8"), (-1, *_PIXELS))]),
            Schema([TensorSpec(np.dtype("float32"), (-1, len(card.class_names)))]),
        ),
        # torch.export would freeze the batch to one, were there only one image.
        input_example=np.zeros((2, *_PIXELS), np.uint8),
        serialization_format="pt2",
        pip_requirements=[f"torch=={version('torch')}", f"numpy=={version('numpy')}"],
        metadata=json.loads(json.dumps(asdict(card))),
    )
    shutil.rmtree(folder, ignore_errors=True)
    return part.rename(folder)


def log_model(
    store: TrackingStore,
    run_id: str,
    folder: Path,
    name: str,
    tested: Tested,
    evaluations: Sequence[dict[str, Any]],
    tested_ms: int,
) -> str:
    """Log a saved model and its test results to a retraining's parent run, once for each number of seeds.

    With more seeds more is known of the model, which its metadata say: it is logged anew.

    Args:
        store: of the run.
        run_id: of the retraining.
        folder: the saved model.
        name: of the model.
        tested: what the test split says of it.
        evaluations: of each seed's model on the test split.
        tested_ms: Unix time to show the mean test result at, the same whenever this is repeated.

    Returns:
        The model's URI in MLflow, `models:/m-...`.

    Raises:
        TrackingDown: the store does not answer.
    """
    seeds = str(tested.seeds)
    with answering(store.uri):
        tags = store.client.get_run(run_id).data.tags
        if tags.get(_SEEDS) == seeds:
            return tags[_URI]
        model = _begun(store, run_id, seeds) or store.client.create_logged_model(
            store.experiment_id,
            name=name,
            source_run_id=run_id,
            model_type=_CLASSIFIER if tested.images is not None else None,
            tags={_SEEDS: seeds},
        )
        if model.status is not LoggedModelStatus.READY:
            store.client.log_model_artifacts(model.model_id, str(folder))
            store.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        for repeat, evaluation in enumerate(evaluations):
            store.client.log_dict(run_id, evaluation, f"test-{repeat}.json")
        metrics = []
        if tested.metric is not None:
            mean = fmean(tested.values)
            metrics.append(Metric(tested.metric, mean, tested_ms, 0, model_id=model.model_id))
        store.client.log_batch(
            run_id,
            metrics=metrics,
            # Written last: a run with these tags has its model whole.
            tags=[RunTag(_URI, model.model_uri), RunTag(_SEEDS, seeds)],
            synchronous=True,
        )
    return str(model.model_uri)


def _begun(store: TrackingStore, run_id: str, seeds: str) -> LoggedModel | None:
    """The logged model that a run was killed over, or lost the store over."""
    models = store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run_id}'")
    return next((model for model in models if model.tags.get(_SEEDS) == seeds), None)
