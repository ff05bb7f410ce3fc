"""Reading back what a tracking store shows of a sweep, in every detail that the study knows."""

from __future__ import annotations

from optuna.trial import TrialState

from search.records import TrialRecord
from search.tracking.conventions import STATUSES, Point, end_tags
from search.tracking.store import TrackingStore, answering


def duplicate_runs(store: TrackingStore, sweep_run_id: str) -> list[str]:
    """Runs of trials that have an older run: what another tool or a lost lock may have left."""
    seen: set[str] = set()
    duplicates = []
    for run in sorted(store.children(sweep_run_id), key=lambda run: (run.info.start_time, run.info.run_id)):
        key = run.data.tags["sweep.trial_key"]
        if key in seen:
            duplicates.append(str(run.info.run_id))
        seen.add(key)
    return duplicates


def points(store: TrackingStore, run_id: str) -> list[Point]:
    """Every point of every metric of a run."""
    with answering(store.uri):
        names = store.client.get_run(run_id).data.metrics
        found = [point for name in names for point in store.client.get_metric_history(run_id, name)]
    return [Point(point.key, point.step, point.timestamp, point.value) for point in found]


def status(store: TrackingStore, run_id: str) -> str:
    """A run's status, in MLflow's words."""
    with answering(store.uri):
        return str(store.client.get_run(run_id).info.status)


def contradicts(store: TrackingStore, run_id: str, params: dict[str, str]) -> bool:
    """Whether a trial's run has a parameter that it should not have; MLflow lets nobody change one."""
    with answering(store.uri):
        return not store.client.get_run(run_id).data.params.items() <= params.items()


def shows_end(store: TrackingStore, run_id: str, record: TrialRecord, params: dict[str, str]) -> bool:
    """Whether a trial's run has these parameters and its record's status, end and tags."""
    with answering(store.uri):
        run = store.client.get_run(run_id)
    ended = record.state is not TrialState.RUNNING
    return (
        run.data.params == params
        and run.info.status == STATUSES[record.state]
        and (not ended or run.info.end_time == record.ended_ms)
        and (not ended or end_tags(record).items() <= run.data.tags.items())
    )
