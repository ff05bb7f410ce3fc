"""What samplers learn from trials that diverged.

In the study such a trial is PRUNED and violates a constraint by the epochs that it lacks. TPE ranks it below
every other trial by that, and of two the one that went further before the other. GP and CMA-ES look at
COMPLETE trials alone and would try such parameters for ever: they are shown it as one, with a value worse
than any. QMC, random and grid learn nothing from anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.study.divergence import CONSTRAINT, has_diverged
from search.study.optuna_private import every_trial, with_trials, without_constraints


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
    """Optuna's, which also learns from trials that diverged. Takes the arguments of `GPSampler`.

    Example:
        >>> SweepGPSampler(seed=0, n_startup_trials=3).__class__.__name__
        'SweepGPSampler'
    """


class SweepCmaEsSampler(_ShownDiverged, CmaEsSampler):
    """Optuna's, which also learns from trials that diverged. Takes the arguments of `CmaEsSampler`.

    Example:
        >>> SweepCmaEsSampler(seed=0, n_startup_trials=3).__class__.__name__
        'SweepCmaEsSampler'
    """

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """As Optuna's, which warns that it does not use the constraint."""
        super().after_trial(study, without_constraints(trial), state, values)


def _shown(study: optuna.Study) -> optuna.Study:
    """The study to sample from: trials that diverged are COMPLETE, and the worse the sooner they did.

    Until a trial completes there is nothing that others are worse than.
    """
    trials = every_trial(study)
    values = [trial.value for trial in trials if trial.state is TrialState.COMPLETE]
    known = [value for value in values if value is not None]
    diverged = [trial.constraints[CONSTRAINT] for trial in trials if has_diverged(trial)]
    if not known or not diverged:
        return study
    beyond = (max(known) - min(known)) or max(map(abs, known)) or 1.0
    most = max(diverged)
    minimise = study.direction == StudyDirection.MINIMIZE

    def shown(trial: FrozenTrial) -> FrozenTrial:
        if not has_diverged(trial):
            return trial
        far = beyond * (1 + trial.constraints[CONSTRAINT] / most)
        return _completed(trial, max(known) + far if minimise else min(known) - far)

    return with_trials(study, [shown(trial) for trial in trials])


def _completed(trial: FrozenTrial, value: float) -> FrozenTrial:
    shown = without_constraints(trial)
    shown.state, shown.value = TrialState.COMPLETE, value
    return shown
