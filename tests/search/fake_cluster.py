"""What a dispatcher works with, in plain fakes: a clock, checkpoints, a follower, workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from optuna.storages import BaseStorage, InMemoryStorage
from sweep_makers import epoch, open_ledger, sweep_config

from search.config.sweep_config import SweepConfig
from search.engine.dispatch import Dispatcher
from search.engine.failures import failure_reason
from search.engine.messages import Assignment, Message
from search.engine.observers import Observer
from search.study.checkpoints import CheckpointStore, checkpoint_path
from search.study.ledger import Ledger
from search.study.promotion import Promotion
from search.study.records import Epoch, StopReason, TrialRecord
from search.study.transitions import Decision


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Checkpoints:
    """Which trials have checkpoints, and what they hold."""

    def __init__(self) -> None:
        self.epochs: dict[int, tuple[Epoch, ...]] = {}

    def retain(self, numbers: Collection[int]) -> None:
        self.epochs = {number: kept for number, kept in self.epochs.items() if number in numbers}

    def discard(self, number: int) -> None:
        self.epochs.pop(number, None)

    def size(self, number: int) -> int:
        """A byte an epoch."""
        return len(self.epochs.get(number, ()))

    def keep_newest(self, number: int) -> None:
        """Nothing: it is the whole history of a trial that is kept here."""


class Follower:
    """Remembers what it was told, and that the study knew it first."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.opened: list[TrialRecord] | None = None
        self.changes: list[TrialRecord] = []

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        self.opened = list(records)

    def trial_changed(self, record: TrialRecord) -> None:
        assert record in self._ledger.records()
        self.changes.append(record)


@dataclass
class Drivers:
    """The drivers of one sweep, one after another, over the same study and checkpoints."""

    config: SweepConfig = field(default_factory=sweep_config)
    storage: BaseStorage = field(default_factory=InMemoryStorage)
    clock: Clock = field(default_factory=Clock)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    promotion: Callable[[], Promotion | None] = lambda: None

    def start(
        self, slots: int | Callable[[], int] = 2, observers: Sequence[Observer] = (), **changes: Any
    ) -> Dispatcher:
        """A new driver; an earlier one is as good as killed."""
        self.config = sweep_config(**{**dict(self.config), **changes})
        ledger = open_ledger(self.config, self.storage, self.promotion())
        self.follower = Follower(ledger)
        return Dispatcher(
            ledger,
            self.config,
            cast(CheckpointStore, self.checkpoints),
            slots if callable(slots) else lambda: slots,
            [self.follower, *observers],
            self.clock,
        )


def take(dispatcher: Dispatcher, attempt: str) -> Assignment | None:
    """A worker takes the next trial, if there is one for it."""
    assignment = dispatcher.next(attempt)
    dispatcher.started(attempt)
    return assignment


def finish(dispatcher: Dispatcher, attempt: str, values: Sequence[float]) -> None:
    """An attempt that reports these values and comes to its end."""
    for number, value in enumerate(values, 1):
        assert dispatcher.receive(attempt, Message(epochs=(epoch(number, value),))) is Decision.CONTINUE
    assert dispatcher.receive(attempt, Message(finished=True)) is Decision.COMPLETE
    dispatcher.ended(attempt)


def fail(dispatcher: Dispatcher, attempt: str) -> None:
    """An attempt whose objective raises, whereupon Ray throws the worker away."""
    dispatcher.receive(attempt, Message(failure=StopReason.ERROR, error="it broke"))
    dispatcher.lost(attempt, StopReason.LOST, "the worker raised")


Objective = Callable[[int, int], float]  # trial number, epoch -> metric


@dataclass
class Cluster:
    """Workers that train an epoch a turn, save it, then report it: a whole driver's loop without Ray."""

    drivers: Drivers
    objective: Objective
    trained: Counter[tuple[int, int]] = field(default_factory=Counter)

    def run(self, slots: int = 2) -> Dispatcher:
        """Drive the sweep until it is done or the driver is killed."""
        dispatcher = self.drivers.start(slots)
        running: dict[str, Assignment] = {}
        attempts = 0
        while not dispatcher.done:
            while assignment := dispatcher.next(str(attempts)):
                attempts += 1
                running[str(attempts - 1)] = assignment
                known = self.drivers.checkpoints.epochs.get(assignment.number, ())
                if known:
                    decision = dispatcher.receive(str(attempts - 1), Message(epochs=known))
                    if decision is not Decision.CONTINUE:
                        self._end(dispatcher, running, str(attempts - 1))
            for attempt, assignment in list(running.items()):
                if self._turn(dispatcher, attempt, assignment.number) is not Decision.CONTINUE:
                    self._end(dispatcher, running, attempt)
        return dispatcher

    def _turn(self, dispatcher: Dispatcher, attempt: str, number: int) -> Decision:
        history = self.drivers.checkpoints.epochs.get(number, ())
        if len(history) == self.drivers.config.max_epochs:
            return dispatcher.receive(attempt, Message(finished=True))
        try:
            value = self.objective(number, len(history) + 1)
        except ArithmeticError as error:
            told = Message(failure=failure_reason(error), error=str(error))
            if dispatcher.receive(attempt, told) is Decision.CONTINUE:
                dispatcher.lost(attempt, StopReason.LOST, "the worker raised")
            return Decision.STOP
        self.trained[number, len(history) + 1] += 1
        saved = checkpoint_path(number, len(history) + 1)
        finished = epoch(len(history) + 1, value, checkpoint=saved)
        self.drivers.checkpoints.epochs[number] = (*history, finished)
        return dispatcher.receive(attempt, Message(epochs=(finished,)))

    @staticmethod
    def _end(dispatcher: Dispatcher, running: dict[str, Assignment], attempt: str) -> None:
        del running[attempt]
        dispatcher.ended(attempt)
