"""What a tracking store's runs show of a sweep, in every detail that the study knows."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow.entities import Run
from optuna.trial import TrialState

from search.study.records import TrialRecord
from search.tracking.answering import answering
from search.tracking.conventions import STATUSES, Point, state_tags
from search.tracking.store import TrackingStore


def duplicate_runs(runs: Sequence[Run]) -> list[str]:
    """Of trials' runs, those whose trial has an older one: what another tool or a lost lock may have left."""
    seen: set[str] = set()
    duplicates = []
    for run in sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id)):
        key = run.data.tags["sweep.trial_key"]
        if key in seen:
            duplicates.append(str(run.info.run_id))
        seen.add(key)
    return duplicates


def points(store: TrackingStore, run: Run) -> list[Point]:
    """Every point of every metric of a run; one call a metric, for a run itself has only the newest."""
    with answering(store.uri):
        history = [
            point
            for name in run.data.metrics
            for point in store.client.get_metric_history(run.info.run_id, name)
        ]
    return [Point(point.key, point.step, point.timestamp, point.value) for point in history]


def contradicts(run: Run, params: dict[str, str]) -> bool:
    """Whether a trial's run has a parameter that it should not have; MLflow lets nobody change one."""
    return not run.data.params.items() <= params.items()


def shows_end(run: Run, record: TrialRecord, params: dict[str, str]) -> bool:
    """Whether a trial's run has these parameters and its record's status, end and tags, frozen or ended."""
    ended = record.state is not TrialState.RUNNING
    return (
        run.data.params == params
        and run.info.status == STATUSES[record.state]
        and (not ended or run.info.end_time == record.ended_ms)
        and state_tags(record).items() <= run.data.tags.items()
    )
