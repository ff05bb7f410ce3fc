"""This project's sweeps, replayed: its ledger, dispatcher, sampler, pruner and promotion, without Ray."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from optuna.storages import InMemoryStorage

from benchmarks.replay.earlier import Earlier
from benchmarks.replay.simulation import Setup, Work
from benchmarks.replay.snapping import Snapping
from search.config.sweep_config import SweepConfig
from search.engine.dispatch import Dispatcher
from search.engine.messages import Message
from search.launching.earlier import tried_first
from search.policy.making import make_policy
from search.policy.pruners import pruner_name
from search.policy.settling import settled
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.records import Epoch, StopReason
from search.study.transitions import Decision

METRIC = "val_loss"


@dataclass(frozen=True)
class Project:
    """A method of this project.

    Args:
        sampler: by name.
        pruner: by name; None: what `auto` chose before trials could be frozen.
        told_budget: whether the sweep is told its budget in epochs; else it has as many trials as it likes
            and is cut off when the epochs are used up.
        earlier: the sweeps of other tasks that it learns from, if it does.

    Example:
        >>> Project("random", "none").told_budget
        False
    """

    sampler: str
    pruner: str | None
    told_budget: bool = False
    earlier: Earlier | None = None

    def begin(self, setup: Setup) -> ProjectSweep:
        """A new sweep."""
        epochs = setup.task.epochs
        prior = [] if self.earlier is None else setup.found_before(self.earlier)
        config = SweepConfig(
            name=f"replay-{setup.seed}",
            space=setup.task.space,
            objective="nobody:calls",
            metric=METRIC,
            max_epochs=epochs,
            trials=None if self.told_budget else setup.budget,
            budget=setup.budget if self.told_budget else None,
            concurrency=setup.workers,
            sampler=self.sampler,
            pruner=pruner_name("auto", epochs) if self.pruner is None else self.pruner,
            seed=setup.seed,
            prior=prior,
            sweeps_dir=setup.folder,
            first_failures=0,
            max_failed_share=1,
        )
        config = settled(config)
        first = prior[: tried_first(config)]
        return ProjectSweep(config.model_copy(update={"enqueue": first}), setup)


class ProjectSweep:
    """A sweep as its dispatcher decides it.

    Args:
        config: the sweep.
        setup: what it is replayed on.
    """

    def __init__(self, config: SweepConfig, setup: Setup) -> None:
        policy = make_policy(config)
        if setup.task.discrete:
            policy = dataclasses.replace(policy, sampler=Snapping(policy.sampler, setup.task, setup.session))
        self._config, self._clock = config, setup.clock
        self._dispatcher = Dispatcher(
            Ledger.open(config, InMemoryStorage(), policy),
            config,
            CheckpointStore(config.checkpoint_root),
            lambda: setup.workers,
            clock=setup.clock,
        )
        self._attempts = 0
        self._names: dict[int, str] = {}  # of the attempts under way, by trial

    def next(self) -> Work | None:
        """By the dispatcher."""
        name = f"attempt-{self._attempts}"
        self._attempts += 1
        given = self._dispatcher.next(name)
        if given is None:
            return None
        self._dispatcher.started(name)
        self._names[given.number] = name
        return Work(given.number, given.params, given.epochs_known)

    def report(self, number: int, epoch: int, value: float, seconds: float) -> bool:
        """By the dispatcher."""
        if np.isnan(value):
            return self._say(number, Message(failure=StopReason.DIVERGED, error="as recorded"))
        metrics = {METRIC: value, "epoch_s": seconds}
        kept = f"trial-{number}/{epoch}"  # nobody looks, but what has no checkpoint starts again
        at_ms = round(1000 * self._clock())
        goes_on = self._say(number, Message(epochs=(Epoch(epoch, metrics, at_ms, "replay:1", kept),)))
        if goes_on and epoch == self._config.max_epochs:
            return self._say(number, Message(finished=True))
        return goes_on

    def _say(self, number: int, message: Message) -> bool:
        name = self._names[number]
        decision = self._dispatcher.receive(name, message)
        if decision is Decision.CONTINUE:
            return True
        if not message.last:
            self._dispatcher.receive(name, Message(left=True))
        self._dispatcher.ended(name)
        return False
