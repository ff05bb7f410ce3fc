"""A confirmation as MLflow shows it: on the parent run of its trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.entities import Metric, RunTag

from search.tracking.answering import answering
from search.tracking.store import TrackingStore


def log_confirmation(
    store: TrackingStore,
    run_id: str,
    winner: str,
    figures: Mapping[str, float | None],
    finalists: Sequence[Mapping[str, Any]],
) -> None:
    """Log what was found: the winner's figures as metrics, all finalists as a file. May be repeated.

    Args:
        store: where the run is.
        run_id: of the trainings' parent run.
        winner: the winning trial's key.
        figures: the winner's, by metric; those that are None are not known.
        finalists: all of them as plain JSON, the winner first.

    Raises:
        TrackingDown: the store does not answer.
    """
    with answering(store.uri):
        started_ms = store.client.get_run(run_id).info.start_time
        metrics = [Metric(name, value, started_ms, 0) for name, value in figures.items() if value is not None]
        store.client.log_dict(run_id, {"finalists": list(finalists)}, "confirmation.json")
        tags = [RunTag("sweep.winner", winner)]
        store.client.log_batch(run_id, metrics, tags=tags, synchronous=True)
