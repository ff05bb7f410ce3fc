"""The MLflow view catches up with the study in a thread of its own, and never holds a trial up."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.engine.pending import GATHER_S, SWEEP, Pending
from search.errors import LeaseLost, TrackingDown, TrackingRefused
from search.study.database import STORAGE_ERRORS
from search.study.records import TrialRecord
from search.tracking.store import SweepPage, TrackingStore
from search.tracking.writer import SweepWriter

_ABANDONED_S = 5.0  # what a call under way gets to end
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0  # between tries while the store does not answer
_SWEEP_EVERY_S = 2.0  # the sweep's own run is made from all trials, too much work for each change

_logger = logging.getLogger(__name__)

_Step: TypeAlias = Callable[[], "_Step | None"]
"""A step of the thread's work; returns the next one, None after the last."""


class MlflowView:
    """Writes every change of a trial to MLflow, the newest state of each trial at a time.

    The thread opens the sweep, writes trial after trial as they change, and finishes when the end has come.
    Each of these steps is tried again until the store answers; what the store refuses holds nothing else up.

    Args:
        connect: opens the store; called again until it answers.
        config: the sweep.
        sweep_id: identity of its study.
        check_lease: called before each write; raises `LeaseLost` once the sweep is another driver's.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> store = TrackingStore(config.tracking_uri, config.experiment)
        >>> view = MlflowView(lambda: store, config, sweep_id="0a1b", check_lease=lambda: None)
        >>> view.sweep_opened([])
        >>> view.close("FINISHED", "complete", wait_s=60) is None  # the view is exact
        True
    """

    def __init__(
        self,
        connect: Callable[[], TrackingStore],
        config: SweepConfig,
        sweep_id: str,
        check_lease: Callable[[], None],
    ) -> None:
        self._writer = SweepWriter(connect, config, sweep_id)
        self._check_lease = check_lease
        self._pending = Pending()
        self._wait_s = _FIRST_WAIT_S
        self._sweep_written = 0.0  # when the sweep's own run was last brought up to date
        self._exact = False  # everything is written, and nothing more will come
        self._cause: str | None = None  # why the thread ended before
        self._thread = threading.Thread(target=self._catch_up, name="mlflow-view", daemon=True)

    @property
    def behind(self) -> int:
        """Number of trials whose runs are not up to date."""
        return self._pending.behind

    @property
    def page(self) -> SweepPage | None:
        """Where the store shows the sweep; None until it has answered."""
        return self._writer.page

    def run_id(self, number: int) -> str | None:
        """The id of a trial's run, once it is known."""
        return self._writer.run_id(number)

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Begin; of these trials, those that the store does not show exactly are written again."""
        self._pending.begin(records)
        self._thread.start()

    def trial_changed(self, record: TrialRecord) -> None:
        """Note a change; returns at once."""
        self._pending.change(record, gather=self.run_id(record.number) is not None)

    def close(self, status: str, state: str, wait_s: float, at_most_s: float = math.inf) -> str | None:
        """Write what is left, end the sweep's run, and stop.

        Args:
            status: of the sweep's run, in MLflow's words.
            state: of the sweep.
            wait_s: how long the store may take for a trial.
            at_most_s: how long it may take for all; of a sweep that froze many trials each has an end left.

        Returns:
            None if the view is exact now, else what is missing and why, in words.
        """
        self._pending.end()
        late = self._pending.wait_until_written(self._thread, wait_s, at_most_s)
        if not self._exact:
            trials = f"{self.behind} of {len(self._pending.records)} trials are"
            behind = trials if self.behind else "the sweep's run is"
            refusal = next(iter(self._pending.refusals.values()), None)
            cause = self._cause or refusal or late
            return f"{behind} not up to date in MLflow: {cause}"
        self._check_lease()
        try:
            self._writer.end_sweep(status, state)
        except TrackingDown as error:
            return str(error)
        return None

    def abandon(self) -> None:
        """Stop without writing anything more: the sweep is another driver's now.

        A call under way is waited for, but not for as long as a store that has gone may take over it.
        """
        self._pending.abandon()
        if self._thread.ident is not None:  # else it was never begun
            self._thread.join(_ABANDONED_S)

    def _catch_up(self) -> None:
        """The thread: step after step."""
        step: _Step | None = self._open
        try:
            while step is not None and not self._pending.abandoned:
                step = self._tried(step)
        except LeaseLost as error:  # the driver finds out by itself, at its next write to the study
            self._cause = str(error)
        except Exception as error:  # a fault in here stops no trial, and `close` tells it
            _logger.exception("the MLflow view has stopped; the sweep continues")
            self._cause = f"{type(error).__name__}: {error}"

    def _tried(self, step: _Step) -> _Step | None:
        """Do a step; returns the next, or the same after a while if the store did not answer."""
        try:
            following = step()
        except (TrackingDown, *STORAGE_ERRORS) as error:
            if self._pending.ending:
                self._cause = str(error)
                return None
            _logger.warning("%s; trying again in %.0f s, nothing is lost", error, self._wait_s)
            self._pending.wait_for_end(self._wait_s)
            self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
            return step
        self._wait_s = _FIRST_WAIT_S
        return following

    def _open(self) -> _Step | None:
        """Find or make the sweep's run; one that the store refuses is tried once more, at the end."""
        self._check_lease()
        try:
            exact = self._writer.open(self._pending.records)
        except TrackingRefused as error:
            self._note_refusal(SWEEP, error)
            if self._pending.ending:
                return None
            self._pending.wait_for_end()
            return self._open
        for record in exact:
            self._pending.is_exact(record)
        return self._write_next

    def _write_next(self) -> _Step | None:
        """Write the next trial that is due, and the sweep's own run if that is due."""
        record = self._pending.take()
        if record is None:
            return self._finish
        if self._pending.abandoned:
            return None
        try:
            self._check_lease()
            self._unless_refused(record.number, lambda: self._write(record))
            if time.monotonic() - self._sweep_written > _SWEEP_EVERY_S:
                self._write_sweep()
        except (TrackingDown, *STORAGE_ERRORS):
            self._pending.put_back(record.number)
            raise
        return self._write_next

    def _finish(self) -> None:
        """Write the sweep's own run for the last time."""
        self._check_lease()
        self._write_sweep()
        self._exact = not self._pending.refusals

    def _write(self, record: TrialRecord) -> None:
        if self.run_id(record.number) is None:
            self._writer.make_run(record)
            if record.state is TrialState.RUNNING and not self._pending.ending:
                # What there is to write comes with what follows.
                self._pending.put_back(record.number, GATHER_S)
                return
        self._writer.write_trial(record)

    def _write_sweep(self) -> None:
        self._sweep_written = time.monotonic()
        self._unless_refused(SWEEP, lambda: self._writer.write_sweep(self._pending.records))

    def _unless_refused(self, what: int | None, write: Callable[[], None]) -> None:
        """Write; a refusal is kept for the end, and holds nothing else up."""
        try:
            write()
        except TrackingRefused as error:
            self._note_refusal(what, error)
        else:
            self._pending.accept(what)

    def _note_refusal(self, what: int | None, error: TrackingRefused) -> None:
        if self._pending.refuse(what, str(error)):  # the first will do; there may be one for each trial
            _logger.error("%s; the sweep continues, without that in MLflow", error)
