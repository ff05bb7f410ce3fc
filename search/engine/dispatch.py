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
from search.engine.asking import ask_for_trials
from search.engine.faults import RemembersFaults, remembered
from search.engine.followed import FollowedTrials
from search.engine.limits import TimeBudget
from search.engine.messages import Assignment, Message
from search.engine.observers import Observer, Stop
from search.engine.waiting import MOST_DRIVERS, WaitingTrials
from search.engine.working import WorkingAttempts
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.promotion import Ask, Thaw
from search.study.records import Epoch, Outcome, StopReason, TrialRecord, interrupted_origins
from search.study.transitions import Decision

STOP_GRACE_S = 10.0  # an epoch, or a clean-up, may end in this time after a signal; preemption gives 30 s
_KILLS_DRIVERS = "%d drivers in a row died while it was trained; `retry_failed` trains it once more"

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
        self._ledger = ledger
        self._config = config
        self._slots = slots
        self._clock = clock
        self._time = TimeBudget(config, clock)
        self._waiting = WaitingTrials(map(ledger.record, ledger.unfinished()), clock)
        self._working = WorkingAttempts(config, clock)
        self._stop: Stop | None = None
        self._stop_at = 0.0
        self._trials = FollowedTrials(ledger, config, checkpoints, observers)

    @property
    def stop(self) -> Stop | None:
        """Why the driver ends before the sweep is done, if it does."""
        if self._stop is None and self._time.closed and self._ledger.choose():
            return Stop.TIME_BUDGET
        return self._stop

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
        if self._working:
            return False
        if self._stop is not None:
            return True
        if self._ledger.choose():
            return self._time.closed and not self._waiting
        return not self._waiting and not self._ledger.frozen()

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
        self._watch_time_budget()
        while self._stop is None and len(self._working) < self._slots():
            if not self._working and self._waiting.soon:
                return None
            if not self._waiting.ready:
                self._ask()
            number = self._waiting.take(alone=not self._working)
            if number is None:
                self._end_frozen()
                return None
            record = self._ledger.adopt(number)
            if self._settled(record):
                continue
            self._working.begin(attempt, record.number)
            self._trials.begun(record.number)
            return self._assignment(record)
        return None

    @remembered
    def started(self, attempt: str) -> None:
        """A worker has taken an attempt: from now on its trial runs. Said again it changes nothing."""
        if self._working.starts(attempt):
            self._trials.changed(self._ledger.start(self._working.number(attempt)))

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
        number = self._working.number(attempt)
        raises = message.failure not in (None, StopReason.DIVERGED)
        if not self._trains(number):  # somebody else has ended it
            return Decision.CONTINUE if raises else Decision.STOP
        if message.failure is StopReason.DIVERGED:
            self._trials.changed(self._ledger.diverge(number, message.error))
            return Decision.STOP
        if message.failure:
            self._failed(number, message.failure, message.error)
            return Decision.CONTINUE
        if message.finished:
            record = self._ledger.complete(number)
            self._concluded(record)
            return Decision.COMPLETE if record.state is TrialState.COMPLETE else Decision.STOP
        return self._judged(number, message.epochs)

    def _trains(self, number: int) -> bool:
        """Whether a trial has neither ended nor been frozen."""
        return self._ledger.record(number).outcome is Outcome.RUNNING

    def _judged(self, number: int, epochs: Sequence[Epoch]) -> Decision:
        for epoch in epochs:
            record, decision = self._ledger.report(number, epoch)
            self._trials.changed(record)
            if decision is not Decision.CONTINUE:
                return decision
        self._watch_time_budget()
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
            self._waiting.rejoin(number)

    @remembered
    def lost(self, attempt: str, reason: StopReason, error: str) -> None:
        """An attempt's worker is gone; unless the trial has ended, it is handed out again."""
        if self._working.is_leaving(attempt):
            self._clean_up_cut_off(attempt)
            return
        number = self._working.forget(attempt)
        if number is None or self._stop is not None or not self._trains(number):
            return
        record = self._ledger.lose(number, reason, error)
        self._concluded(record)
        if record.state is TrialState.RUNNING:
            pause = self._waiting.rejoin(number, record.times_lost)
            _logger.warning("%s: worker lost (%s); starting it again in %.0f s", record.key, error, pause)

    @remembered
    def interrupted(self, attempt: str) -> None:
        """An objective has interrupted its worker's main thread: that is its error, as any other exit."""
        number = self._working.forget(attempt)
        if number is None or self._stop is not None:
            return
        if self._trains(number):
            self._failed(number, StopReason.ERROR, "KeyboardInterrupt in the worker's main thread")

    def _failed(self, number: int, reason: StopReason, error: str) -> None:
        self._concluded(self._ledger.fail(number, reason, error))

    def _concluded(self, record: TrialRecord) -> None:
        self._trials.changed(record)
        if record.state is TrialState.FAIL and self._trials.too_many_failed():
            self.request_stop(Stop.FAILURES)

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

    def _assignment(self, record: TrialRecord) -> Assignment:
        params = self._config.configuration(record.params)
        origins = interrupted_origins(record, self._trials.by_number)
        seed = self._config.seed + (origins[-1] if origins else record.number)
        # A trial that is thawed without a checkpoint begins again, which its hand-out has priced.
        known = record.resumes_at if record.thawed else len(record.epochs)
        return Assignment(record.number, params, seed, known, tuple(origins), record.until)

    def _ask(self) -> None:
        known = self._trials.by_number.values()
        match self._ledger.choose():
            case Thaw() as choice if self._time.worth_starting(known):
                self._put_in_line(self._ledger.thaw(choice))
            case Ask() as choice if self._time.worth_starting(known):
                for record in ask_for_trials(self._ledger, self._config, choice, self._slots(), known):
                    self._put_in_line(record)

    def _put_in_line(self, record: TrialRecord) -> None:
        if record.state is TrialState.RUNNING:
            self._waiting.join([record.number])
        else:  # enqueued with values that the space does not hold, or ended by somebody else
            self._trials.changed(record)

    def _end_frozen(self) -> None:
        """The sweep has come to its end by itself: what is still frozen will not be thawed any more."""
        if not self._working and not self._waiting and self._ledger.choose() is None:
            for record in self._ledger.end_frozen():
                self._trials.changed(record)

    def _settled(self, record: TrialRecord) -> bool:
        """Whether an adopted trial has ended, or only lacks an ending that the last driver did not write."""
        if record.state is TrialState.RUNNING:
            if len(record.epochs) >= self._config.max_epochs:
                record = self._ledger.complete(record.number)
            elif record.drivers_lost >= MOST_DRIVERS:
                record = self._ledger.fail(
                    record.number, StopReason.LOST, _KILLS_DRIVERS % record.drivers_lost
                )
                _logger.warning("%s is given up: %s", record.key, record.error)
            else:
                return False
        self._concluded(record)
        return True

    def _watch_time_budget(self) -> None:
        if self._time.used_up:
            self.request_stop(Stop.TIME_BUDGET)
