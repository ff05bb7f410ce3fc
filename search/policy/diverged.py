"""What samplers learn from trials that diverged.

In the study such a trial is PRUNED and violates a constraint by the epochs that it lacks. TPE ranks it below
every other trial by that, and of two the one that went further before the other. GP and CMA-ES look at
COMPLETE trials alone and would try such parameters for ever: they are shown it as one, with a value worse
than any. QMC, random and grid learn nothing from anything.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.study.divergence import CONSTRAINT, has_diverged


class _ShownDiverged(BaseSampler):
    """A sampler to which trials that diverged are shown as completed badly."""

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler's own."""
        return super().infer_relative_search_space(_shown(study), trial)  # type: ignore[safe-super]

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler's own."""
        return super().sample_relative(_shown(study), trial, search_space)  # type: ignore[safe-super]


class SweepGPSampler(_ShownDiverged, GPSampler):
    """Optuna's, which also learns from trials that diverged. Takes the arguments of `GPSampler`."""


class SweepCmaEsSampler(_ShownDiverged, CmaEsSampler):
    """Optuna's, which also learns from trials that diverged. Takes the arguments of `CmaEsSampler`."""

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As Optuna's, which warns that it does not use the constraint."""
        super().after_trial(study, _feasible(trial), state, values)


class _Shown:
    """A study in which trials that diverged are COMPLETE, and worse than all others the sooner they did."""

    def __init__(self, study: optuna.Study, trials: list[FrozenTrial], values: list[float]) -> None:
        self._study = study
        beyond = (max(values) - min(values)) or max(map(abs, values)) or 1.0
        most = max(trial.constraints[CONSTRAINT] for trial in trials if has_diverged(trial))

        def shown(trial: FrozenTrial) -> FrozenTrial:
            if not has_diverged(trial):
                return trial
            far = beyond * (1 + trial.constraints[CONSTRAINT] / most)
            minimise = study.direction == StudyDirection.MINIMIZE
            return _completed(trial, max(values) + far if minimise else min(values) - far)

        self._trials = [shown(trial) for trial in trials]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        assert not deepcopy, "samplers change no trial"
        return [trial for trial in self._trials if states is None or trial.state in states]


def _shown(study: optuna.Study) -> optuna.Study:
    """The study to sample from; until a trial completes there is nothing that others are worse than."""
    trials = study._get_trials(deepcopy=False)
    values = [trial.value for trial in trials if trial.state is TrialState.COMPLETE]
    known = [value for value in values if value is not None]
    if not known or not any(map(has_diverged, trials)):
        return study
    return cast(optuna.Study, _Shown(study, trials, known))


def _completed(trial: FrozenTrial, value: float) -> FrozenTrial:
    shown = _feasible(trial)
    shown.state, shown.value = TrialState.COMPLETE, value
    return shown


def _feasible(trial: FrozenTrial) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.system_attrs = {
        key: value for key, value in trial.system_attrs.items() if not key.startswith("constraints")
    }
    return shown
