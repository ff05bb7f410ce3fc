"""Who works on what: the one queue behind launching, resuming and replacing lost workers.

A trial that is RUNNING in the study and that nobody works on is handed out before any new one is
asked for. It does not matter why nobody works on it: the last driver was killed, its worker died, its
node went away. Ray's searcher and scheduler are thin adapters over this class.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.engine.faults import RemembersFaults, remembered
from search.engine.followed import FollowedTrials
from search.engine.intake import Intake
from search.engine.limits import HoursBudget, WorthLimit
from search.engine.messages import Assignment, Message
from search.engine.observers import Observer, Stop
from search.engine.supply import Supply
from search.engine.working import WorkingAttempts
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.records import StopReason, TrialRecord
from search.study.transitions import Decision

STOP_GRACE_S = 10.0  # an epoch, or a clean-up, may end in this time after a signal; preemption gives 30 s

_logger = logging.getLogger(__name__)


class Dispatcher(RemembersFaults):
    """Hands trials to workers and takes in what they say.

    Args:
        ledger: the study, open for writing.
        checkpoints: of the sweep.
        slots: how many trials may run at the moment; asked again each time, for a cluster grows.
        observers: told of every change after it is in the study.
        clock: monotonic seconds; a test hands in its own.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> from search.policy.making import make_policy
        >>> from search.policy.settling import settled
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> config = settled(SweepConfig(name="a", space=SPACE, objective="math:exp", trials=1, max_epochs=1))
        >>> ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
        >>> dispatcher = Dispatcher(ledger, config, CheckpointStore(config.checkpoint_root), lambda: 1)
        >>> dispatcher.next("attempt").number
        0
        >>> epoch = Epoch(1, {"val_acc": 0.5}, timestamp_ms=0, worker="host:1")
        >>> dispatcher.receive("attempt", Message(epochs=(epoch,)))
        <Decision.CONTINUE: 'continue'>
        >>> dispatcher.receive("attempt", Message(finished=True))
        <Decision.COMPLETE: 'complete'>
        >>> dispatcher.ended("attempt")
        >>> dispatcher.done
        True
    """

    def __init__(
        self,
        ledger: Ledger,
        config: SweepConfig,
        checkpoints: CheckpointStore,
        slots: Callable[[], int],
        observers: Sequence[Observer] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._slots = slots
        self._clock = clock
        self._working = WorkingAttempts(config, clock)
        self._stop: Stop | None = None
        self._stop_at = 0.0
        self._hours, self._worth = HoursBudget(config), WorthLimit(config)
        watched: list[Observer] = [self._hours, self._worth, *observers]
        self._trials = FollowedTrials(ledger, config, checkpoints, watched)
        self._supply = Supply(ledger, config, self._trials, slots, clock)
        self._intake = Intake(ledger, config, self._trials, self.request_stop)

    @property
    def stop(self) -> Stop | None:
        """Why the driver ends before the sweep is done, if it does."""
        return Stop.TIME_BUDGET if self._stop is None and self._supply.cut_short else self._stop

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial of the sweep as it is now, by number."""
        return self._trials.all

    @property
    def busy(self) -> bool:
        """Whether any attempt is under way."""
        return bool(self._working)

    @property
    def done(self) -> bool:
        """Nothing runs, waits, is frozen or may be asked for."""
        return not self._working and (self._stop is not None or self._supply.exhausted)

    @property
    def abandon(self) -> bool:
        """The time that an interruption gives to running epochs is over: what still runs is dropped."""
        return self._stop is Stop.INTERRUPTED and self._clock() - self._stop_at > STOP_GRACE_S

    def request_stop(self, reason: Stop) -> None:
        """End soon: nothing new starts, and what runs stops after its epoch, to be resumed.

        However long that takes, unless it is an interruption, which may come after another reason too.
        """
        if self._stop is None or (reason is Stop.INTERRUPTED and self._stop is not reason):
            self._stop, self._stop_at = reason, self._clock()
            self._trials.stop_requested(reason, STOP_GRACE_S if reason is Stop.INTERRUPTED else None)

    @remembered
    def next(self, attempt: str) -> Assignment | None:
        """The trial for a free slot, or None if there is none to start now."""
        self._watch_budgets()
        while self._stop is None and len(self._working) < self._slots():
            record = self._supply.next(alone=not self._working)
            if record is None:
                return None
            if not self._intake.settled(record):
                self._working.begin(attempt, record.number)
                self._trials.begun(record.number)
                return self._supply.assignment(record)
        return None

    @remembered
    def started(self, attempt: str) -> None:
        """A worker has taken an attempt: from now on its trial runs. Said again it changes nothing."""
        if self._working.starts(attempt):
            self._intake.started(self._working.number(attempt))

    def overdue(self, attempt: str) -> bool:
        """Whether an attempt that has a worker has been silent, or cleaned up, for longer than it may.

        Asked again and again; the first time that it says so, the worker is killed.
        """
        return self._working.overdue(attempt)

    @remembered
    def receive(self, attempt: str, message: Message) -> Decision:
        """Take in what a worker says, and decide whether its attempt goes on.

        One that does not is told so and cleans up; it still works here until it says that it has left. One
        that raises goes on: its worker is about to fail, and Ray to discard it.
        """
        self.started(attempt)
        self._working.heard(attempt)
        for note in message.notes:
            _logger.warning("%s: %s", self._trials[self._working.number(attempt)].key, note)
        decision = self._has_left(attempt, message) if message.left else self._take_in(attempt, message)
        if decision is not Decision.CONTINUE:
            self._working.told_to_stop(attempt)
        return decision

    def _take_in(self, attempt: str, message: Message) -> Decision:
        decision = self._intake.take_in(self._working.number(attempt), message)
        if decision is not Decision.CONTINUE or message.failure:
            return decision
        self._watch_budgets()
        return Decision.CONTINUE if self._stop is None else Decision.STOP

    def _has_left(self, attempt: str, message: Message) -> Decision:
        if message.failure is None:
            return Decision.STOP
        record = self._trials[self._working.number(attempt)]
        _logger.warning("%s: its clean-up failed; a new worker takes over\n%s", record.key, message.error)
        return Decision.CONTINUE

    def ended(self, attempt: str) -> None:
        """An attempt is over as it should be; a trial that it left RUNNING waits for a resume."""
        self._working.forget(attempt)

    def returned(self, attempt: str) -> None:
        """An attempt never got its worker, for no fault of its trial: it is handed out again."""
        number = self._working.forget(attempt)
        if number is not None and self._stop is None:
            self._supply.take_back(number)

    @remembered
    def lost(self, attempt: str, reason: StopReason, error: str) -> None:
        """An attempt's worker is gone; unless the trial has ended, it is handed out again."""
        if self._working.is_leaving(attempt):
            self._clean_up_cut_off(attempt)
            return
        number = self._working.forget(attempt)
        if number is None or self._stop is not None or not self._intake.trains(number):
            return
        record = self._intake.lost(number, reason, error)
        if record.state is TrialState.RUNNING:
            pause = self._supply.take_back(number, record.times_lost)
            _logger.warning("%s: worker lost (%s); starting it again in %.0f s", record.key, error, pause)

    @remembered
    def interrupted(self, attempt: str) -> None:
        """An objective has interrupted its worker's main thread: that is its error, as any other exit."""
        number = self._working.forget(attempt)
        if number is None or self._stop is not None:
            return
        if self._intake.trains(number):
            self._intake.failed(number, StopReason.ERROR, "KeyboardInterrupt in the worker's main thread")

    def _clean_up_cut_off(self, attempt: str) -> None:
        """A worker died, or was killed, after it had been told to stop: its trial is done with here."""
        too_long = self.overdue(attempt) and not self.abandon
        number = self._working.forget(attempt)
        if number is not None and too_long:
            _logger.warning(
                "%s: its clean-up took longer than the %.0f s of `cleanup_time`; its worker was killed",
                self._trials[number].key,
                self._config.cleanup_time,
            )

    def _watch_budgets(self) -> None:
        if self._supply.out_of_time:
            self.request_stop(Stop.TIME_BUDGET)
        elif self._hours.used_up:
            self.request_stop(Stop.HOURS)
        elif self._worth.reached:
            self.request_stop(Stop.WORTHLESS)
