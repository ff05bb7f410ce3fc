"""A sweep's report in MLflow: a file of the sweep's run, to which its note leads; and the importances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import Metric, RunTag

from search.results.summary import SweepSummary
from search.tracking.answering import answering
from search.tracking.conventions import importance_points
from search.tracking.pages.links import artifact_page
from search.tracking.store import SweepPage, TrackingStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOTE = "mlflow.note.content"


def log_report(page: SweepPage, summary: SweepSummary, file: Path, importances: Figure | None) -> None:
    """Add a report to a sweep's run; one that was there is replaced.

    Args:
        page: of the sweep.
        summary: what the report was made of.
        file: the report.
        importances: a picture of them; None with too few trials.

    Raises:
        TrackingDown: the store does not answer.
    """
    config, run_id = summary.config, page.sweep_run_id
    store = TrackingStore(config.tracking_uri, config.experiment, create=False)
    ended_ms = max((record.ended_ms or 0 for record in summary.records), default=0)
    points = importance_points(summary.importances, len(summary.leaderboard), ended_ms)
    with answering(store.uri):
        store.client.log_artifact(run_id, str(file))
        if importances is not None:
            store.client.log_figure(run_id, importances, "importances.png")
        note = store.client.get_run(run_id).data.tags.get(_NOTE, "")
        link = f"[Report]({artifact_page(page.experiment_id, run_id, file.name)})"
        store.client.log_batch(
            run_id,
            [Metric(each.name, each.value, each.timestamp_ms, each.step) for each in points],
            tags=[RunTag(_NOTE, note if link in note else f"{link} {note}")],
            synchronous=True,
        )
