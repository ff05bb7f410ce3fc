"""A confirmation as MLflow shows it: on the parent run of its trainings."""

from __future__ import annotations

from mlflow.entities import Metric, RunTag

from search.confirm import Confirmation
from search.tracking.store import TrackingStore, answering


def log_confirmation(store: TrackingStore, run_id: str, confirmation: Confirmation) -> None:
    """Log what was found: the winner's figures as metrics, all finalists as a file. May be repeated.

    Raises:
        TrackingDown: the store does not answer.
    """
    winner = confirmation.winner
    figures = {
        "confirmed_mean": winner.estimate.mean,
        "optimism": winner.optimism,
        "probability_best": winner.estimate.probability_best,
    }
    with answering(store.uri):
        started_ms = store.client.get_run(run_id).info.start_time
        metrics = [Metric(name, value, started_ms, 0) for name, value in figures.items() if value is not None]
        store.client.log_dict(run_id, {"finalists": confirmation.to_json()}, "confirmation.json")
        tags = [RunTag("sweep.winner", winner.record.key)]
        store.client.log_batch(run_id, metrics, tags=tags, synchronous=True)
