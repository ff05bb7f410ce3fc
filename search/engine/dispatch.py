"""Who works on what: the one queue behind launching, resuming and replacing lost workers.

A trial that is RUNNING in the study and that nobody works on is handed out before any new one is
asked for. It does not matter why nobody works on it: the last driver was killed, its worker died, its
node went away. Ray's searcher and scheduler are thin adapters over this class.
"""

from __future__ import annotations

import enum
import functools
import logging
import time
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.engine.messages import Assignment, Message
from search.engine.retention import Retention
from search.engine.waiting import MOST_DRIVERS, WaitingTrials
from search.policy.expected_cost import ExpectedCost
from search.results.leaderboard import causes, typical_seconds
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.records import Epoch, Outcome, StopReason, TrialRecord, interrupted_origins
from search.study.transitions import Decision

STOP_GRACE_S = 10.0  # an epoch, or a clean-up, may end in this time after a signal; preemption gives 30 s
LAST_ROUNDS = 2  # trials a slot that are asked for together at the end of a sweep,
_LAST_SHARE = 4  # but at most a quarter of all
_TYPICAL_OF = 100  # newest trials that tell how long the next one will take
_MOST_CAUSES = 5  # of failed trials that are told when they end a sweep; the study has them all

_KILLS_DRIVERS = "%d drivers in a row died while it was trained; `retry_failed` trains it once more"
_FAULTS = {StopReason.ERROR, StopReason.OOM, StopReason.TIMEOUT, StopReason.LOST}

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger(__name__)


class Stop(enum.Enum):
    """Why a driver ends before the sweep is done."""

    INTERRUPTED = "interrupted"
    TIME_BUDGET = "time budget used up"
    FAILURES = "too many trials failed"


class Observer(Protocol):
    """Something that follows the trials: the MLflow view, the progress table."""

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """The trials that there are when a driver begins."""

    def trial_changed(self, record: TrialRecord) -> None:
        """A trial was started, finished an epoch or ended. Must return at once."""


@runtime_checkable
class StopObserver(Protocol):
    """An observer that also hears that the driver is to end before the sweep is done."""

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """A stop was asked for; running epochs have `grace_s` seconds to end, None: as long as they take.

        Called in a signal's handler too: it must neither wait for anything nor print.
        """


def _remembers_faults(method: Callable[P, R]) -> Callable[P, R]:
    """Keep what a method of the dispatcher raises: Ray turns its callbacks' errors into text."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Exception as error:  # of any kind: it is raised on, unchanged
            dispatcher = args[0]
            assert isinstance(dispatcher, Dispatcher)
            dispatcher.fault = dispatcher.fault or error
            raise

    return guarded


class Dispatcher:
    """Hands trials to workers and takes in what they say.

    Args:
        ledger: the study, open for writing.
        checkpoints: of the sweep.
        slots: how many trials may run at the moment; asked again each time, for a cluster grows.
        observers: told of every change after it is in the study.
        clock: monotonic seconds; a test hands in its own.
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
        self._observers = observers
        self._clock = clock
        self._started_at = clock()
        unfinished = ledger.unfinished()
        self._waiting = WaitingTrials(map(ledger.record, unfinished), clock)
        self._working: dict[str, int] = {}  # Ray's id of an attempt -> trial number
        self._heard: dict[str, float] = {}  # when an attempt last said something, or began to run
        self._leaving: dict[str, float] = {}  # when an attempt was told to stop; it cleans up
        self._records = {record.number: record for record in ledger.records()}
        self._ended_here: list[TrialRecord] = []  # trials that ended under this driver
        self.fault: Exception | None = None  # the first thing that went wrong in here
        self._stop: Stop | None = None
        self._stop_at = 0.0
        self._closed = False  # the time left is too short for another trial
        for observer in observers:
            observer.sweep_opened(self.records)
        unfinished += ledger.queued()
        self._retention = Retention(checkpoints, config, self._records.values(), unfinished)

    @property
    def stop(self) -> Stop | None:
        """Why the driver ends before the sweep is done, if it does."""
        if self._stop is None and self._closed and self._ledger.remaining():
            return Stop.TIME_BUDGET
        return self._stop

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial of the sweep as it is now, by number."""
        return [record for _, record in sorted(self._records.items())]

    @property
    def busy(self) -> bool:
        """Whether any attempt is under way."""
        return bool(self._working)

    @property
    def done(self) -> bool:
        """Nothing runs, waits or may be asked for."""
        to_come = self._waiting or (self._ledger.remaining() and not self._closed)
        return not self._working and (self._stop is not None or not to_come)

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
            for observer in self._observers:
                if isinstance(observer, StopObserver):
                    observer.stop_requested(reason, STOP_GRACE_S if reason is Stop.INTERRUPTED else None)

    @_remembers_faults
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
                return None
            record = self._ledger.adopt(number)
            if self._settled(record):
                continue
            self._working[attempt] = record.number
            self._retention.started(record.number)
            return self._assignment(record)
        return None

    @_remembers_faults
    def started(self, attempt: str) -> None:
        """A worker has taken an attempt: from now on its trial runs. Said again it changes nothing."""
        if attempt in self._working and attempt not in self._heard:
            self._heard[attempt] = self._clock()
            self._changed(self._ledger.start(self._working[attempt]))

    def overdue(self, attempt: str) -> bool:
        """Whether an attempt that has a worker has been silent, or cleaned up, for longer than it may.

        Asked again and again; the first time that it says so, the worker is killed.
        """
        now = self._clock()
        if attempt in self._leaving:
            return now - self._leaving[attempt] > self._config.cleanup_time
        timeout = self._config.trial_timeout
        return timeout is not None and now - self._heard.get(attempt, now) > timeout

    @_remembers_faults
    def receive(self, attempt: str, message: Message) -> Decision:
        """Take in what a worker says, and decide whether its attempt goes on.

        One that does not is told so and cleans up; it still works here until it says that it has left. One
        that raises goes on: its worker is about to fail, and Ray to discard it.
        """
        self.started(attempt)
        self._heard[attempt] = self._clock()
        for note in message.notes:
            _logger.warning("%s: %s", self._records[self._working[attempt]].key, note)
        decision = self._has_left(attempt, message) if message.left else self._take_in(attempt, message)
        if decision is not Decision.CONTINUE:
            self._leaving.setdefault(attempt, self._clock())
        return decision

    def _take_in(self, attempt: str, message: Message) -> Decision:
        number = self._working[attempt]
        raises = message.failure not in (None, StopReason.DIVERGED)
        if self._records[number].state is not TrialState.RUNNING:  # somebody else has ended it
            return Decision.CONTINUE if raises else Decision.STOP
        if message.failure is StopReason.DIVERGED:
            self._changed(self._ledger.diverge(number, message.error))
            return Decision.STOP
        if message.failure:
            self._failed(number, message.failure, message.error)
            return Decision.CONTINUE
        if message.finished:
            record = self._ledger.complete(number)
            self._concluded(record)
            return Decision.COMPLETE if record.state is TrialState.COMPLETE else Decision.STOP
        return self._judged(number, message.epochs)

    def _judged(self, number: int, epochs: Sequence[Epoch]) -> Decision:
        for epoch in epochs:
            record, decision = self._ledger.report(number, epoch)
            self._changed(record)
            if decision is not Decision.CONTINUE:
                return decision
        self._watch_time_budget()
        return Decision.CONTINUE if self._stop is None else Decision.STOP

    def _has_left(self, attempt: str, message: Message) -> Decision:
        if message.failure is None:
            return Decision.STOP
        record = self._records[self._working[attempt]]
        _logger.warning("%s: its clean-up failed; a new worker takes over\n%s", record.key, message.error)
        return Decision.CONTINUE

    def ended(self, attempt: str) -> None:
        """An attempt is over as it should be; a trial that it left RUNNING waits for a resume."""
        self._forget(attempt)

    def returned(self, attempt: str) -> None:
        """An attempt never got its worker, for no fault of its trial: it is handed out again."""
        number = self._forget(attempt)
        if number is not None and self._stop is None:
            self._waiting.rejoin(number)

    @_remembers_faults
    def lost(self, attempt: str, reason: StopReason, error: str) -> None:
        """An attempt's worker is gone; unless the trial has ended, it is handed out again."""
        if attempt in self._leaving:
            self._clean_up_cut_off(attempt)
            return
        number = self._forget(attempt)
        if number is None or self._ledger.record(number).state is not TrialState.RUNNING:
            return
        if self._stop is not None:
            return
        record = self._ledger.lose(number, reason, error)
        self._concluded(record)
        if record.state is TrialState.RUNNING:
            pause = self._waiting.rejoin(number, record.times_lost)
            _logger.warning("%s: worker lost (%s); starting it again in %.0f s", record.key, error, pause)

    @_remembers_faults
    def interrupted(self, attempt: str) -> None:
        """An objective has interrupted its worker's main thread: that is its error, as any other exit."""
        number = self._forget(attempt)
        if number is None or self._stop is not None:
            return
        if self._ledger.record(number).state is TrialState.RUNNING:
            self._failed(number, StopReason.ERROR, "KeyboardInterrupt in the worker's main thread")

    def _failed(self, number: int, reason: StopReason, error: str) -> None:
        self._concluded(self._ledger.fail(number, reason, error))

    def _concluded(self, record: TrialRecord) -> None:
        self._changed(record)
        if record.state is TrialState.FAIL:
            self._watch_failures()

    def _clean_up_cut_off(self, attempt: str) -> None:
        """A worker died, or was killed, after it had been told to stop: its trial is done with here."""
        too_long = self.overdue(attempt) and not self.abandon
        number = self._forget(attempt)
        if number is not None and too_long:
            _logger.warning(
                "%s: its clean-up took longer than the %.0f s of `cleanup_time`; its worker was killed",
                self._records[number].key,
                self._config.cleanup_time,
            )

    def _forget(self, attempt: str) -> int | None:
        """Strike an attempt off; the number of its trial, if it was under way."""
        self._heard.pop(attempt, None)
        self._leaving.pop(attempt, None)
        return self._working.pop(attempt, None)

    def _assignment(self, record: TrialRecord) -> Assignment:
        params = self._config.configuration(record.params)
        origins = interrupted_origins(record, self._records)
        seed = self._config.seed + (origins[-1] if origins else record.number)
        return Assignment(record.number, params, seed, len(record.epochs), tuple(origins))

    def _ask(self) -> None:
        """Ask for a trial, or at the end of the sweep for all that are left, the longest to start first.

        A long trial that starts last keeps the other slots idle. The price is that the last few trials
        are sampled without each other's results, so they are few. A single slot has nobody to keep idle,
        and with a time budget nobody knows which are the last.
        """
        left = self._ledger.remaining() if self._worth_starting() else 0
        few = min(LAST_ROUNDS * self._slots(), self._ledger.budget // _LAST_SHARE)
        if self._slots() == 1 or self._config.time_budget is not None:
            few = 0
        asked = [self._ledger.ask() for _ in range(left if left <= few else min(left, 1))]
        for record in asked:
            if record.state is not TrialState.RUNNING:  # enqueued with values that the space does not hold
                self._changed(record)
        asked = [record for record in asked if record.state is TrialState.RUNNING]
        if len(asked) > 1:
            cost = ExpectedCost(self._config.space, list(self._records.values()))
            asked.sort(key=cost.order, reverse=True)
        self._waiting.join(record.number for record in asked)

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

    def _changed(self, record: TrialRecord) -> None:
        self._records[record.number] = record
        for observer in self._observers:
            observer.trial_changed(record)
        if record.state is not TrialState.RUNNING:
            self._ended_here.append(record)
            self._retention.ended(record)

    def _watch_time_budget(self) -> None:
        if self._time_left() <= 0:
            self.request_stop(Stop.TIME_BUDGET)

    def _time_left(self) -> float:
        budget = self._config.time_budget
        return float("inf") if budget is None else budget - (self._clock() - self._started_at)

    def _worth_starting(self) -> bool:
        """Whether a trial asked for now would probably end within the time budget."""
        if self._config.time_budget is not None:
            typical = typical_seconds(list(self._records.values())[-_TYPICAL_OF:])
            self._closed = self._closed or (typical is not None and typical > self._time_left())
        return not self._closed

    def _watch_failures(self) -> None:
        """Stop if faults are too many; a trial that diverged, or that somebody else has ended, is none."""
        ended, config = self._ended_here, self._config
        failed = sum(record.outcome is Outcome.FAILED and record.stop_reason in _FAULTS for record in ended)
        first_all_failed = failed == len(ended) == config.first_failures
        too_many = len(ended) >= config.share_after and failed / len(ended) > config.max_failed_share
        if first_all_failed or too_many:
            _logger.error("%d of %d trials failed: no more are started", failed, len(ended))
            for why in causes(ended)[:_MOST_CAUSES]:
                _logger.error("%s", why)
            self.request_stop(Stop.FAILURES)
