"""A retrained model in a folder of its own and in MLflow, registered there under a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.driver import SweepResult
from search.errors import TrackingDown
from search.tracking.models.tested import Tested

if TYPE_CHECKING:
    from search.tracking.models.registry import Registration


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


def publish(
    result: SweepResult,
    folder: Path,
    tested: Tested,
    evaluations: Sequence[dict[str, Any]],
    model_name: str,
    tested_ms: int,
    test_reads: int,
) -> Published:
    """Log the model with all seeds' test results to MLflow and register it, as far as MLflow answers.

    Args:
        result: of the retraining.
        folder: where the model was saved.
        tested: how it did on the test split.
        evaluations: on the test split, one for each seed.
        model_name: in MLflow's registry.
        tested_ms: when the last training ended; Unix time.
        test_reads: retrainings that have read the test set.
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
        uri = log_model(
            store, page.sweep_run_id, folder, f"{tested.sweep}-best", tested, evaluations, tested_ms
        )
        registration = register(store, page.sweep_run_id, uri, tested, model_name, test_reads)
    except TrackingDown as error:
        return Published(uri, missing=str(error))
    return Published(uri, registration, result.view_missing)
