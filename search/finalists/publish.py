"""A retrained model in a folder of its own and in MLflow, registered there under a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.errors import TrackingDown
from search.finalists.confirm import Confirmation
from search.results.statistics import estimates
from search.results.summary import SweepSummary
from search.study.launch_notes import describe_launch

if TYPE_CHECKING:
    from search.tracking.models.registry import Registration
    from search.tracking.models.save import ModelCard


@dataclass(frozen=True)
class Published:
    """What MLflow has of a retrained model.

    Example:
        >>> Published(missing="the store does not answer").model_uri is None
        True
    """

    model_uri: str | None = None
    registration: Registration | None = None
    missing: str | None = (
        None  # why it lacks the model, its registration or a training; None: it is all there
    )


def save_retrained(
    summary: SweepSummary,
    config: SweepConfig,
    checkpoint: Path,
    confirmation: Confirmation | None,
    accuracies: tuple[float, ...],
) -> tuple[Path, ModelCard]:
    """Save a training's model as a folder with its card.

    Args:
        summary: of the sweep.
        config: of the retraining.
        checkpoint: the training's last one.
        confirmation: that chose the trial, if there was one.
        accuracies: on the test split, by seed.
    """
    from cifar_cnn.checkpoint import load_checkpoint
    from cifar_cnn.export import InferenceModel
    from search.tracking.models.save import ModelCard, save_model

    loaded = load_checkpoint(checkpoint)
    launch = describe_launch()
    card = ModelCard(
        name=f"{summary.config.name}-best",
        class_names=loaded.class_names,
        sweep=summary.config.name,
        trial=int(config.tags["sweep.of_trial"]),
        train_config=loaded.train_config.model_dump(mode="json"),
        data=loaded.data_info.model_dump(mode="json"),
        test_accuracies=accuracies,
        test=asdict(estimates({0: accuracies}, within=(0.0, 1.0))[0]),
        confirmation=None if confirmation is None else confirmation.to_json(),
        code=launch["code"],
        versions=launch["versions"],
    )
    return save_model(InferenceModel(loaded), card, config.folder / "model"), card


def publish(
    result: SweepResult,
    folder: Path,
    card: ModelCard,
    evaluations: Sequence[dict[str, Any]],
    model_name: str,
    tested_ms: int,
) -> Published:
    """Log the model with all seeds' test results to MLflow and register it, as far as MLflow answers.

    Args:
        result: of the retraining.
        folder: where the model was saved.
        card: that it was saved with.
        evaluations: on the test split, one for each seed.
        model_name: in MLflow's registry.
        tested_ms: when the last training ended; Unix time.
    """
    from search.tracking.models.registry import register
    from search.tracking.models.save import log_model
    from search.tracking.store import TrackingStore

    page, config = result.page, result.config
    if page is None:
        return Published(missing=f"its store did not answer: {result.view_missing}")
    uri = None
    try:
        store = TrackingStore(config.tracking_uri, config.experiment, create=False)
        uri = log_model(store, page.sweep_run_id, folder, card, evaluations, tested_ms)
        registration = register(store, page.sweep_run_id, uri, card, model_name)
    except TrackingDown as error:
        return Published(uri, missing=str(error))
    return Published(uri, registration, result.view_missing)
