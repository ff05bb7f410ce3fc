"""One sweep on a task in simulated time: whatever decides, and workers that look epochs up."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from benchmarks.replay.earlier import Earlier, found_before
from benchmarks.replay.tasks import Session, Task


class Work(NamedTuple):
    """What a free worker is to do: train a trial on."""

    number: int
    params: Mapping[str, Any]
    done: int = 0  # epochs that it was trained for already


class Sweep(Protocol):
    """What decides in a sweep: of this project, or of another one."""

    def next(self) -> Work | None:
        """For a free worker; None: nothing for now."""

    def report(self, number: int, epoch: int, value: float, seconds: float) -> bool:
        """Take in an epoch of a trial (NaN: it diverged), and say whether its worker trains another.

        Not asked for more than the task's epochs.
        """


@dataclass(frozen=True)
class Setup:
    """What a method makes a sweep from.

    Attributes:
        task: what is trained.
        session: the task, as this sweep meets it.
        workers: trials at a time.
        budget: epochs in all.
        seed: of the sweep.
        folder: an empty one, for whatever it writes.
        clock: the simulated time; the median epoch takes 1.
        found_before: the configurations that it takes from such earlier sweeps of other tasks.
    """

    task: Task
    session: Session
    workers: int
    budget: int
    seed: int
    folder: Path
    clock: Callable[[], float]
    found_before: Callable[[Earlier], list[dict[str, Any]]]


class Method(Protocol):
    """A way to search."""

    def begin(self, setup: Setup) -> Sweep:
        """A new sweep."""


@dataclass
class Run:
    """What happened in a sweep, an entry an epoch, in the order of their ends."""

    clock: list[float] = field(default_factory=list)  # time of its end; the median epoch takes 1
    trial: list[int] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)  # NaN: it diverged
    ends: dict[int, float] = field(default_factory=dict)  # what each trial would report last, if trained on
    decisions_s: list[float] = field(default_factory=list)  # CPU time of each hand-out of work
    reports_s: list[float] = field(default_factory=list)  # CPU time of taking in each epoch


@dataclass
class _Attempt:
    number: int
    seconds: float
    done: int


def simulate(
    task: Task,
    method: Method,
    *,
    workers: int,
    trainings: float,
    seed: int,
    folder: Path,
    others: Sequence[Callable[[], Task]] = (),
) -> Run:
    """Run a sweep until its budget of epochs is used up, or it has nothing more to do.

    Args:
        task: what is trained.
        method: what decides.
        workers: trials at a time.
        trainings: budget in whole trainings.
        seed: of the sweep.
        folder: an empty one, where checkpoints would lie.
        others: load tasks with the same space, of which earlier sweeps may be known.
    """
    replay = _Replay(task, workers, round(trainings * task.epochs))
    setup = Setup(
        task,
        replay.session,
        workers,
        replay.budget,
        seed,
        folder,
        clock=lambda: replay.now,
        found_before=partial(found_before, others, seed),
    )
    return replay.run(method.begin(setup))


class _Replay:
    def __init__(self, task: Task, workers: int, budget: int) -> None:
        self.session, self.budget = task.session(), budget
        self.now = 0.0
        self._epochs, self._workers = task.epochs, workers
        self._run = Run()
        self._begun = 0  # epochs so far
        self._ahead: list[tuple[float, int, _Attempt]] = []  # epochs under way, by their end

    def run(self, sweep: Sweep) -> Run:
        while True:
            while len(self._ahead) < self._workers and self._begun < self.budget and self._hand_out(sweep):
                pass
            if not self._ahead:
                return self._run
            self.now, _, attempt = heapq.heappop(self._ahead)
            if self._epoch_ends(sweep, attempt) and self._begun < self.budget:
                self._begin_epoch(attempt)

    def _hand_out(self, sweep: Sweep) -> bool:
        before = time.thread_time()
        work = sweep.next()
        self._run.decisions_s.append(time.thread_time() - before)
        if work is None:
            return False
        self.session.had(work.number, work.params)
        self._run.ends[work.number] = self.session.end(work.number)
        self._begin_epoch(_Attempt(work.number, self.session.seconds(work.number), work.done))
        return True

    def _begin_epoch(self, attempt: _Attempt) -> None:
        self._begun += 1
        heapq.heappush(self._ahead, (self.now + attempt.seconds, self._begun, attempt))

    def _epoch_ends(self, sweep: Sweep, attempt: _Attempt) -> bool:
        """Report an epoch; whether the attempt trains another."""
        attempt.done += 1
        value = self.session.value(attempt.number, attempt.done)
        self._run.clock.append(self.now)
        self._run.trial.append(attempt.number)
        self._run.epoch.append(attempt.done)
        self._run.value.append(value)
        before = time.thread_time()
        goes_on = sweep.report(attempt.number, attempt.done, value, attempt.seconds)
        self._run.reports_s.append(time.thread_time() - before)
        return goes_on and attempt.done < self._epochs
