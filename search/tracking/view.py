"""The MLflow view catches up with the study in a thread of its own, and never holds a trial up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.errors import LeaseLost, TrackingDown, TrackingRefused
from search.results.leaderboard import best_so_far, summary_note
from search.study.database import STORAGE_ERRORS
from search.study.records import TrialRecord
from search.tracking.conventions import full_key, sweep_points
from search.tracking.store import SweepPage, TrackingStore, TrialRun

_ABANDONED_S = 5.0  # what a call under way gets to end
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0  # between tries while the store does not answer
_GATHER_S = 0.5  # a running trial's changes are written together; the quickest trials in a single go
_SWEEP_EVERY_S = 2.0  # the sweep's own run is made from all trials, too much work for each change

_logger = logging.getLogger(__name__)


class MlflowView:
    """Writes every change of a trial to MLflow, the newest state of each trial at a time.

    Args:
        connect: opens the store; called again until it answers.
        config: the sweep.
        sweep_id: identity of its study.
        check_lease: called before each write; raises `LeaseLost` once the sweep is another driver's.
    """

    def __init__(
        self,
        connect: Callable[[], TrackingStore],
        config: SweepConfig,
        sweep_id: str,
        check_lease: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._config = config
        self._sweep_id = sweep_id
        self._check_lease = check_lease
        self._records: dict[int, TrialRecord] = {}
        self._behind: dict[int, float] = {}  # trials whose runs are not up to date, and since when, in order
        self._run_ids: dict[int, str] = {}
        # What the store would not take, and why: trials by number, None the sweep's own run. Tried again when
        # it changes, and at the end.
        self._refused: dict[int | None, str] = {}
        self._unsure: set[int] = set()  # trials whose run may have been created by a call that failed
        self._epochs_written: dict[int, int] = {}
        self._best_written = 0
        self._sweep_written = 0.0  # when the sweep's own run was last brought up to date
        self._store: TrackingStore | None = None
        self._sweep_run_id: str | None = None
        self._changed = threading.Condition()
        self._closing = self._abandoned = False
        self._exact = False  # everything is written, and nothing more will come
        self._cause: str | None = None  # why the thread ended before
        self._thread = threading.Thread(target=self._catch_up_while_ours, name="mlflow-view", daemon=True)

    @property
    def behind(self) -> int:
        """Number of trials whose runs are not up to date."""
        with self._changed:
            return len(self._behind.keys() | self._refused.keys() - {None})

    @property
    def page(self) -> SweepPage | None:
        """Where the store shows the sweep; None until it has answered."""
        if self._store is None or self._sweep_run_id is None:
            return None
        return SweepPage(self._store.uri, self._store.experiment_id, self._sweep_run_id)

    def run_id(self, number: int) -> str | None:
        """The id of a trial's run, once it is known."""
        return self._run_ids.get(number)

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Begin; of these trials, those that the store does not show exactly are written again."""
        self._records = {record.number: record for record in records}
        self._behind = dict.fromkeys(self._records, 0.0)
        self._thread.start()

    def trial_changed(self, record: TrialRecord) -> None:
        """Note a change; returns at once."""
        with self._changed:
            self._records[record.number] = record
            self._behind.setdefault(record.number, time.monotonic())
            self._changed.notify()

    def close(self, status: str, state: str, wait_s: float) -> str | None:
        """Write what is left, end the sweep's run, and stop.

        Returns:
            None if the view is exact now, else what is missing and why, in words.
        """
        with self._changed:
            self._closing = True
            self._behind |= {number: 0.0 for number in self._refused if number is not None}
            self._changed.notify()
        self._thread.join(wait_s)
        if not self._exact or self._store is None or self._sweep_run_id is None:
            behind = (
                f"{self.behind} of {len(self._records)} trials are" if self.behind else "the sweep's run is"
            )
            refusal = next(iter(self._refused.values()), None)
            cause = self._cause or refusal or f"writing took longer than {wait_s:.0f} s"
            return f"{behind} not up to date in MLflow: {cause}"
        self._check_lease()
        try:
            self._store.end_sweep(self._sweep_run_id, status, state, int(time.time() * 1000))
        except TrackingDown as error:
            return str(error)
        return None

    def abandon(self) -> None:
        """Stop without writing anything more: the sweep is another driver's now.

        A call under way is waited for, but not for as long as a store that has gone may take over it.
        """
        with self._changed:
            self._abandoned = self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:  # else it was never begun
            self._thread.join(_ABANDONED_S)

    def _catch_up_while_ours(self) -> None:
        try:
            self._catch_up()
        except LeaseLost as error:  # the driver finds out by itself, at its next write to the study
            self._cause = str(error)
        except Exception as error:  # a fault in here stops no trial, and `close` tells it
            _logger.exception("the MLflow view has stopped; the sweep continues")
            self._cause = f"{type(error).__name__}: {error}"

    def _catch_up(self) -> None:
        wait = _FIRST_WAIT_S
        number: int | None = None
        while True:
            try:
                store, sweep_run_id = self._opened()
                number = self._next()
                if self._abandoned:
                    return
                self._check_lease()
                if number is not None:
                    self._unless_refused(number, self._write, store, sweep_run_id, number)
                if number is None or time.monotonic() - self._sweep_written > _SWEEP_EVERY_S:
                    self._unless_refused(None, self._write_sweep, store, sweep_run_id)
                if number is None:
                    self._exact = not self._refused
                    return
                wait = _FIRST_WAIT_S
            except TrackingRefused as error:  # to open the sweep at all: the end is time enough to try again
                self._note_refusal(None, error)
                with self._changed:
                    if self._closing:
                        return
                    self._changed.wait_for(lambda: self._closing)
                    if self._abandoned:
                        return
            except (TrackingDown, *STORAGE_ERRORS) as error:
                with self._changed:
                    self._behind |= {} if number is None else {number: 0.0}
                    if self._closing:
                        self._cause = str(error)
                        return
                    _logger.warning("%s; trying again in %.0f s, nothing is lost", error, wait)
                    self._changed.wait_for(lambda: self._closing, timeout=wait)
                wait = min(2 * wait, _LONGEST_WAIT_S)

    def _unless_refused(self, what: int | None, write: Callable[..., None], *args: Any) -> None:
        """Write, where `what` is a trial's number or None for the sweep; a refusal holds nothing else up."""
        try:
            write(*args)
        except TrackingRefused as error:
            self._note_refusal(what, error)
        else:
            with self._changed:
                self._refused.pop(what, None)

    def _note_refusal(self, what: int | None, error: TrackingRefused) -> None:
        with self._changed:
            if not self._refused:  # the first will do; there may be one for each trial
                _logger.error("%s; the sweep continues, without that in MLflow", error)
            self._refused[what] = str(error)

    def _next(self) -> int | None:
        """The number of a trial to write, once there is one; None when closing and all is written."""
        with self._changed:
            while (number := self._due()) is None and not (self._closing and not self._behind):
                self._changed.wait(_GATHER_S if self._behind else None)
            if number is not None:
                del self._behind[number]
            return number

    def _due(self) -> int | None:
        """A trial that has been behind for long, that has no run yet, or that will not change any more."""
        now = time.monotonic()
        for number, since in self._behind.items():
            running = self._records[number].state is TrialState.RUNNING
            has_run = number in self._run_ids
            if self._closing or not (running and has_run) or now - since >= _GATHER_S:
                return number
        return None

    def _write(self, store: TrackingStore, sweep_run_id: str, number: int) -> None:
        record = self._records[number]
        if number not in self._run_ids:
            self._run_ids[number] = self._run_of(store, sweep_run_id, record)
            if record.state is TrialState.RUNNING and not self._closing:
                with self._changed:  # what there is to write comes with what follows
                    self._behind.setdefault(number, time.monotonic())
                return
        store.write_trial(self._config, self._run_ids[number], record, self._epochs_written.get(number, 0))
        self._epochs_written[number] = len(record.epochs)

    def _run_of(self, store: TrackingStore, sweep_run_id: str, record: TrialRecord) -> str:
        """A trial's new run; looked for first only if a call to create it failed, which may have done so."""
        if record.number in self._unsure:
            found = store.find_trial(self._config, self._sweep_id, record.number)
            if found is not None:
                return found
        self._unsure.add(record.number)
        run_id = store.create_trial(self._config, self._sweep_id, sweep_run_id, record)
        self._unsure.discard(record.number)
        return run_id

    def _opened(self) -> tuple[TrackingStore, str]:
        if self._store is None:
            self._store = self._connect()
        if self._sweep_run_id is None:
            self._check_lease()
            started = min(
                (record.started_ms for record in self._records.values()), default=int(time.time() * 1000)
            )
            self._sweep_run_id = self._store.open_sweep(self._config, self._sweep_id, started)
            self._take_over(self._store.trial_runs(self._sweep_run_id))
        return self._store, self._sweep_run_id

    def _take_over(self, runs: dict[str, TrialRun]) -> None:
        """Go on with the runs of an earlier driver, leaving alone those that are exact."""
        with self._changed:
            for number, record in self._records.items():
                run = runs.get(full_key(self._config.name, number))
                if run is None:
                    continue
                self._run_ids[number] = run.run_id
                if record.state is not TrialState.RUNNING and run.state == record.outcome:
                    self._behind.pop(number, None)

    def _write_sweep(self, store: TrackingStore, sweep_run_id: str) -> None:
        self._sweep_written = time.monotonic()
        with self._changed:
            records = list(self._records.values())
        history = best_so_far(records, self._config.goal)
        note = summary_note(self._config, records)
        store.write_sweep(sweep_run_id, sweep_points(self._config, history[self._best_written :]), note)
        self._best_written = len(history)
