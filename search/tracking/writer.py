"""One sweep written to one store, a step at a time; a step that failed half-way may be done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.results.leaderboard import best_so_far, summary_note
from search.study.records import TrialRecord
from search.tracking.conventions import full_key, hand_outs_text, sweep_points
from search.tracking.store import SweepPage, TrackingStore, TrialRun


@dataclass(frozen=True)
class _Opened:
    store: TrackingStore
    sweep_run_id: str


class SweepWriter:
    """The runs of a sweep and its trials: made once, then brought up to what the study has.

    Args:
        connect: opens the store; called until it has answered.
        config: the sweep.
        sweep_id: identity of its study.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> store = TrackingStore(config.tracking_uri, config.experiment)
        >>> writer = SweepWriter(lambda: store, config, sweep_id="0a1b")
        >>> writer.open([])
        []
        >>> writer.page.tracking_uri.endswith("mlflow.db")
        True
    """

    def __init__(self, connect: Callable[[], TrackingStore], config: SweepConfig, sweep_id: str) -> None:
        self._connect = connect
        self._config = config
        self._sweep_id = sweep_id
        self._store: TrackingStore | None = None
        self._opened: _Opened | None = None
        self._run_ids: dict[int, str] = {}
        self._unsure: set[int] = set()  # trials whose run may have been created by a call that failed
        self._epochs_written: dict[int, int] = {}
        self._best_written = 0

    @property
    def page(self) -> SweepPage | None:
        """Where the store shows the sweep; None until it is open."""
        if self._opened is None:
            return None
        store, sweep_run_id = self._opened.store, self._opened.sweep_run_id
        return SweepPage(store.uri, store.experiment_id, sweep_run_id)

    def run_id(self, number: int) -> str | None:
        """The id of a trial's run, once it is known."""
        return self._run_ids.get(number)

    def open(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Make the sweep's run, or find an earlier driver's, and take over the runs that its trials have.

        Returns:
            The trials that the store shows exactly as these records have them.

        Raises:
            TrackingDown: the store does not answer, or refuses.
        """
        if self._store is None:
            self._store = self._connect()
        started = min((record.started_ms for record in records), default=int(time.time() * 1000))
        sweep_run_id = self._store.open_sweep(self._config, self._sweep_id, started)
        runs = self._store.trial_runs(sweep_run_id)
        exact = []
        for record in records:
            run = runs.get(full_key(self._config.name, record.number))
            if run is None:
                continue
            self._run_ids[record.number] = run.run_id
            if _is_exact(run, record):
                exact.append(record)
        # Not before the runs are known: a trial whose run was overlooked would get a second one.
        self._opened = _Opened(self._store, sweep_run_id)
        return exact

    def make_run(self, record: TrialRecord) -> None:
        """Make a trial's run.

        It is looked for first only if a call to create it failed, which may have done so.

        Raises:
            TrackingDown: as `open`.
        """
        opened, number = self._ready, record.number
        run_id = None
        if number in self._unsure:
            run_id = opened.store.find_trial(self._config, self._sweep_id, number)
        if run_id is None:
            self._unsure.add(number)
            run_id = opened.store.create_trial(self._config, self._sweep_id, opened.sweep_run_id, record)
        self._unsure.discard(number)
        self._run_ids[number] = run_id

    def write_trial(self, record: TrialRecord) -> None:
        """Bring a trial's run, which it has, up to its record.

        Raises:
            TrackingDown: as `open`.
        """
        written = self._epochs_written.get(record.number, 0)
        self._ready.store.write_trial(self._config, self._run_ids[record.number], record, written)
        self._epochs_written[record.number] = len(record.epochs)

    def write_sweep(self, records: Sequence[TrialRecord]) -> None:
        """Bring the sweep's own run up to its trials.

        Raises:
            TrackingDown: as `open`.
        """
        history = best_so_far(records, self._config.goal)
        points = sweep_points(self._config, history[self._best_written :])
        note = summary_note(self._config, records)
        self._ready.store.write_sweep(self._ready.sweep_run_id, points, note)
        self._best_written = len(history)

    def end_sweep(self, status: str, state: str) -> None:
        """Set the end of the sweep's own run, now.

        Raises:
            TrackingDown: as `open`.
        """
        self._ready.store.end_sweep(self._ready.sweep_run_id, status, state, int(time.time() * 1000))

    @property
    def _ready(self) -> _Opened:
        assert self._opened is not None, "open it first"
        return self._opened


def _is_exact(run: TrialRun, record: TrialRecord) -> bool:
    """Whether a trial's run tells its end, or that it is frozen as it is now."""
    if run.state != record.outcome:
        return False
    if record.frozen:
        return run.hand_outs == hand_outs_text(record)
    return record.state is not TrialState.RUNNING
