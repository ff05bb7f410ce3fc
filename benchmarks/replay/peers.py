"""Other tools, by their own objects: Optuna alone in memory, Syne Tune's schedulers without a backend."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from benchmarks.replay.simulation import Setup, Work
from benchmarks.replay.snapping import Snapping


@dataclass(frozen=True)
class OptunaAlone:
    """A study in memory, asked and told as Optuna's documentation has it.

    Args:
        sampler: made from the seed.
        pruner: made from the epochs of a whole training.
    """

    sampler: Callable[[int], BaseSampler]
    pruner: Callable[[int], BasePruner]

    def begin(self, setup: Setup) -> _OptunaSweep:
        """A new study."""
        return _OptunaSweep(self, setup)


class _OptunaSweep:
    def __init__(self, method: OptunaAlone, setup: Setup) -> None:
        sampler = method.sampler(setup.seed)
        if setup.task.discrete:
            sampler = Snapping(sampler, setup.task, setup.session)
        # Hyperband's brackets follow from the name.
        self._study = optuna.create_study(
            study_name=f"replay-{setup.seed}", sampler=sampler, pruner=method.pruner(setup.task.epochs)
        )
        self._task = setup.task
        self._trials: dict[int, optuna.Trial] = {}

    def next(self) -> Work:
        trial = self._study.ask(dict(self._task.space.parameters))
        self._trials[trial.number] = trial
        return Work(trial.number, trial.params)

    def report(self, number: int, epoch: int, value: float, seconds: float) -> bool:
        trial = self._trials[number]
        if np.isnan(value):
            self._study.tell(trial, state=TrialState.FAIL)
            return False
        trial.report(value, step=epoch)
        if epoch == self._task.epochs:
            self._study.tell(trial, value)
        elif trial.should_prune():
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            return True
        return False


def hyperband(epochs: int) -> BasePruner:
    """Optuna's, from one epoch on."""
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


def successive_halving(epochs: int) -> BasePruner:
    """Optuna's, from one epoch on: asynchronous, without promotion."""
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


@dataclass(frozen=True)
class SyneTune:
    """A scheduler of Syne Tune 0.16; all of them stop trials and none pauses.

    Args:
        kind: the class of `syne_tune.optimizer.baselines`.
    """

    kind: str

    def begin(self, setup: Setup) -> _SyneTuneSweep:
        """A new scheduler."""
        return _SyneTuneSweep(self.kind, setup)


class _SyneTuneSweep:
    def __init__(self, kind: str, setup: Setup) -> None:
        baselines, self._trial_of = _syne_tune()
        np.random.seed(setup.seed)  # it draws from the global generator, too
        self._scheduler = getattr(baselines, kind)(
            {name: _domain(each) for name, each in setup.task.space.parameters.items()},
            metric="value",
            time_attr="epoch",
            max_t=setup.task.epochs,
            do_minimize=True,
            random_seed=setup.seed,
        )
        self._session, self._epochs = setup.session, setup.task.epochs
        self._trials: list[Any] = []

    def next(self) -> Work:
        number = len(self._trials)
        params = self._session.had(number, self._scheduler.suggest().config)
        trial = self._trial_of(number, dict(params), datetime.datetime(2026, 1, 1))
        self._trials.append(trial)
        self._scheduler.on_trial_add(trial)
        return Work(number, params)

    def report(self, number: int, epoch: int, value: float, seconds: float) -> bool:
        trial, result = self._trials[number], {"value": value, "epoch": epoch}
        if np.isnan(value):
            self._scheduler.on_trial_error(trial)
        elif epoch == self._epochs:
            self._scheduler.on_trial_complete(trial, result)
        else:
            return bool(self._scheduler.on_trial_result(trial, result) == "CONTINUE")
        return False


def _domain(distribution: object) -> Any:
    from syne_tune import config_space

    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = distribution.low, distribution.high
    if isinstance(distribution, FloatDistribution):
        return config_space.loguniform(low, high) if distribution.log else config_space.uniform(low, high)
    if distribution.step != 1:
        return config_space.finrange(low, high, (high - low) // distribution.step + 1, cast_int=True)
    return config_space.lograndint(low, high) if distribution.log else config_space.randint(low, high)


@functools.cache
def _syne_tune() -> tuple[Any, Any]:
    """Its schedulers and its class of trials."""
    import logging

    from syne_tune.backend.trial_status import Trial  # no part of this project: `--with syne-tune`
    from syne_tune.optimizer import baselines

    logging.getLogger("syne_tune").setLevel(logging.ERROR)
    return baselines, Trial
