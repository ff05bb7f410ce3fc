"""Repairing the MLflow view of a sweep from its study, in the same or another tracking store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mlflow.entities import Run
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.results.leaderboard import best_so_far, summary_note
from search.results.size import is_used_up
from search.study.records import TrialRecord
from search.tracking.conventions import IMPORTANCES, Point, full_key, sweep_points, trial_params, trial_points
from search.tracking.repair.audit import contradicts, duplicate_runs, points, shows_end
from search.tracking.store import TrackingStore

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repairs:
    """What a synchronisation had to do.

    Example:
        >>> Repairs(created=1).none, Repairs().none
        (False, True)
    """

    created: int = 0  # runs that were not there
    completed: int = 0  # runs that lacked something
    replaced: int = 0  # runs that had something the study does not: moved to the trash and written anew
    duplicates: int = 0  # second runs of a trial: moved to the trash

    @property
    def none(self) -> bool:
        """Whether the view was exact."""
        return self == Repairs()


def sync_view(
    store: TrackingStore, config: SweepConfig, sweep_id: str, records: Sequence[TrialRecord]
) -> Repairs:
    """Make a store show a sweep exactly as its study has it; nothing is written to an exact view.

    Nobody else may be writing the sweep's runs meanwhile: hold its lease.

    Raises:
        TrackingDown: the store does not answer, or refuses a repair; what was repaired stays repaired.
    """
    started = min((record.started_ms for record in records), default=int(time.time() * 1000))
    sweep_run = store.find_run(sweep__id=sweep_id, sweep__kind=config.kind)
    sweep_run_id = str(sweep_run.info.run_id) if sweep_run else store.open_sweep(config, sweep_id, started)
    children = store.children(sweep_run_id)
    duplicates = duplicate_runs(children)
    for run_id in duplicates:
        store.delete_run(run_id)
    runs = {run.data.tags["sweep.trial_key"]: run for run in children if run.info.run_id not in duplicates}
    created = completed = replaced = 0
    for record in records:
        run = runs.get(full_key(config.name, record.number))
        if run is None:
            created += 1
            _write(store, config, sweep_id, sweep_run_id, record)
            continue
        extra, missing = _differences(points(store, run), trial_points(config, record))
        params = trial_params(config, record)
        if extra or contradicts(run, params):
            replaced += 1
            store.delete_run(run.info.run_id)
            _write(store, config, sweep_id, sweep_run_id, record)
        elif missing or not shows_end(run, record, params):
            completed += 1
            store.write_trial(config, run.info.run_id, record, epochs_written=0)
    completed += _sync_sweep_run(store, config, sweep_run_id, records, sweep_run)
    return Repairs(created + (sweep_run is None), completed, replaced, len(duplicates))


def _write(
    store: TrackingStore, config: SweepConfig, sweep_id: str, sweep_run_id: str, record: TrialRecord
) -> None:
    run_id = store.create_trial(config, sweep_id, sweep_run_id, record)
    store.write_trial(config, run_id, record, epochs_written=0)


def _sync_sweep_run(
    store: TrackingStore,
    config: SweepConfig,
    run_id: str,
    records: Sequence[TrialRecord],
    sweep_run: Run | None,
) -> int:
    """Bring the sweep's own run up to date; returns 1 if that was needed and it was there (`found`)."""
    expected = sweep_points(config, best_so_far(records, config.goal))
    extra, missing = _differences([] if sweep_run is None else points(store, sweep_run), expected)
    # Importances come with the report, which the driver writes at its end.
    if names := ", ".join(sorted({each.name for each in extra if not each.name.startswith(IMPORTANCES)})):
        _logger.warning("the sweep's run has points of %s that the study does not have; they stay", names)
    finished = _is_finished(config, records)
    end, state = ("FINISHED", "complete") if finished else ("KILLED", "interrupted")
    # A sweep that stopped because its trials failed is FAILED: the study does not tell why it stopped.
    exact = {end} if finished else {end, "FAILED"}
    if sweep_run is not None and not missing and sweep_run.info.status in exact:
        return 0
    store.write_sweep(run_id, missing, summary_note(config, records))
    ended = max((record.ended_ms or 0 for record in records), default=0) or int(time.time() * 1000)
    store.end_sweep(run_id, end, state, ended)
    return 0 if sweep_run is None else 1


def _is_finished(config: SweepConfig, records: Sequence[TrialRecord]) -> bool:
    running = any(record.state is TrialState.RUNNING for record in records)
    return not running and is_used_up(config, records)


def _differences(existing: Iterable[Point], expected: Iterable[Point]) -> tuple[set[Point], set[Point]]:
    """Points that should not be there, and those that should."""
    shown, wanted = set(existing), set(expected)
    return shown - wanted, wanted - shown
