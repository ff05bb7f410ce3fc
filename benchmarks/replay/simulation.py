"""One sweep on a task in simulated time: the real ledger and dispatcher, and workers that look epochs up."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from optuna.storages import InMemoryStorage

from benchmarks.replay.methods import Method
from benchmarks.replay.tasks import Curve, Session, Task
from search.config.sweep_config import SweepConfig
from search.engine.dispatch import Dispatcher
from search.engine.messages import Assignment, Message
from search.policy.making import make_policy
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.records import Epoch, StopReason
from search.study.transitions import Decision

METRIC = "val_loss"


@dataclass
class Run:
    """What happened in a sweep, an entry an epoch, in the order of their ends."""

    clock: list[float] = field(default_factory=list)  # time of its end; the median epoch takes 1
    trial: list[int] = field(default_factory=list)
    epoch: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)  # NaN: it diverged
    ends: dict[int, float] = field(default_factory=dict)  # what each trial would report last, if trained on
    decisions_s: list[float] = field(default_factory=list)  # CPU time of each hand-out of work


@dataclass
class _Attempt:
    name: str
    given: Assignment
    curve: Curve
    seconds: float
    done: int


def simulate(task: Task, method: Method, *, workers: int, trainings: float, seed: int, folder: Path) -> Run:
    """Run a sweep until its budget of epochs is used up.

    Args:
        task: what is trained.
        method: what decides.
        workers: trials at a time.
        trainings: budget in whole trainings.
        seed: of the sweep.
        folder: an empty one, where checkpoints would lie.
    """
    config = SweepConfig(
        name=f"replay-{seed}",  # Hyperband's brackets follow from it
        space=task.space,
        objective="nobody:calls",
        metric=METRIC,
        max_epochs=task.epochs,
        trials=round(trainings * task.epochs),  # the budget of epochs ends it, however short trials are
        concurrency=workers,
        seed=seed,
        sweeps_dir=folder,
        first_failures=0,
        max_failed_share=1,
        **method.settings,
    )
    return _Replay(task.session(), config, workers, round(trainings * task.epochs)).run()


class _Replay:
    def __init__(self, session: Session, config: SweepConfig, workers: int, budget: int) -> None:
        self._session, self._config, self._budget = session, config, budget
        self._now = 0.0
        self._workers = workers
        self._ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
        self._dispatcher = Dispatcher(
            self._ledger,
            config,
            CheckpointStore(str(config.sweeps_dir)),
            lambda: workers,
            clock=lambda: self._now,
        )
        self._run = Run()
        self._begun = self._attempts = 0  # epochs and attempts so far
        self._ahead: list[tuple[float, int, _Attempt]] = []  # epochs under way, by their end

    def run(self) -> Run:
        while True:
            while len(self._ahead) < self._workers and self._begun < self._budget and self._hand_out():
                pass
            if not self._ahead:
                return self._run
            self._now, _, attempt = heapq.heappop(self._ahead)
            if self._epoch_ends(attempt) and self._begun < self._budget:
                self._begin_epoch(attempt)

    def _hand_out(self) -> bool:
        name = f"attempt-{self._attempts}"
        self._attempts += 1
        before = time.thread_time()
        given = self._dispatcher.next(name)
        self._run.decisions_s.append(time.thread_time() - before)
        if given is None:
            return False
        self._dispatcher.started(name)
        curve = self._session.curve(given.number, given.params)
        seconds = self._session.seconds(given.number, given.params)
        self._run.ends[given.number] = float(curve[-1])
        self._begin_epoch(_Attempt(name, given, curve, seconds, given.epochs_known))
        return True

    def _begin_epoch(self, attempt: _Attempt) -> None:
        self._begun += 1
        heapq.heappush(self._ahead, (self._now + attempt.seconds, self._begun, attempt))

    def _epoch_ends(self, attempt: _Attempt) -> bool:
        """Report an epoch; whether the attempt trains another."""
        attempt.done += 1
        value = float(attempt.curve[attempt.done - 1])
        self._run.clock.append(self._now)
        self._run.trial.append(attempt.given.number)
        self._run.epoch.append(attempt.done)
        self._run.value.append(value)
        if np.isnan(value):
            return self._say(attempt, Message(failure=StopReason.DIVERGED, error="as recorded"))
        metrics = {METRIC: value, "epoch_s": attempt.seconds}
        epoch = Epoch(attempt.done, metrics, round(1000 * self._now), "replay:1")
        continues = self._say(attempt, Message(epochs=(epoch,)))
        if continues and attempt.done == self._config.max_epochs:
            return self._say(attempt, Message(finished=True))
        return continues

    def _say(self, attempt: _Attempt, message: Message) -> bool:
        decision = self._dispatcher.receive(attempt.name, message)
        if decision is Decision.CONTINUE:
            return True
        if not message.last:
            self._dispatcher.receive(attempt.name, Message(left=True))
        self._dispatcher.ended(attempt.name)
        return False
