"""What samplers are shown of trials that have no value: pruned, diverged, out of memory.

| trial | in the study | TPE | GP | CMA-ES |
|---|---|---|---|---|
| pruned, or frozen | PRUNED | as it is | COMPLETE, its last value | as to GP |
| diverged | PRUNED, violates a constraint | as it is | COMPLETE, the worst value | as to GP |
| out of memory | FAIL | PRUNED, violates one more | so too, and violates one | COMPLETE, the worst value |

TPE ranks what violates a constraint below every other trial; of two that diverged the one that went further
comes first, and what ran out of memory comes last. GP fits the constraint too, and multiplies the expected
improvement by the chance to keep it (Gardner et al., ICML 2014). CMA-ES knows no constraints. The worst value
lies a tenth of the range beyond all that are known. QMC, random and grid learn nothing from values.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Collection, Container, Mapping, Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.policy.bounded_tpe import BoundedTPESampler
from search.study.lessons import Lesson, Lessons
from search.study.optuna_private import every_trial, with_trials, without_constraints

MEMORY = "memory"  # name of the constraint that a trial violates that ran out of it
MOST_FOR_GP = (
    500  # trials that GP is shown, unless more are COMPLETE: the cost of a fit grows with their cube
)


class Taught(BaseSampler):
    """A sampler that knows, when it draws, which trials diverged or ran out of memory.

    Example:
        >>> SweepTPESampler(seed=0).lessons  # of no trial yet
        {}
    """

    lessons: Mapping[int, Lesson] = {}

    @cached_property
    def known_lessons(self) -> Lessons:
        """What is kept of the last time."""
        return Lessons()

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As the sampler's own, which is called before anything is drawn for a trial."""
        self.lessons = self.known_lessons.of(every_trial(study))
        super().before_trial(study, trial)


class _Shown(Taught):
    """A sampler that draws from a study in which some trials are shown as others."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler's own."""
        return super().sample_relative(self._shown(study), trial, search_space)  # type: ignore[safe-super]

    @cached_property
    def copies(self) -> dict[int, tuple[FrozenTrial, tuple[Any, ...], FrozenTrial]]:
        """By number: a trial, how it is shown, and the copy that is shown."""
        return {}

    @abc.abstractmethod
    def _shown(self, study: optuna.Study) -> optuna.Study:
        """The study with some of its trials shown as others."""

    def _as(
        self,
        trial: FrozenTrial,
        state: TrialState,
        value: float | None = None,
        violation: float | None = None,
    ) -> FrozenTrial:
        """A copy in another state: the last one, unless the trial, which is replaced when it changes, has."""
        how = (state, value, violation)
        known = self.copies.get(trial.number)
        if known is None or known[0] is not trial or known[1] != how:
            shown = without_constraints(trial)
            shown.state, shown.value = state, value
            if violation is not None:
                shown.set_constraint(MEMORY, violation)
            known = self.copies[trial.number] = (trial, how, shown)
        return known[2]


class SweepTPESampler(_Shown, BoundedTPESampler):
    """The bounded TPE, which also learns from trials that ran out of memory. Takes the same arguments.

    Example:
        >>> SweepTPESampler(seed=0, n_startup_trials=3).__class__.__name__
        'SweepTPESampler'
    """

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler's own."""
        return super().sample_independent(self._shown(study), trial, param_name, param_distribution)

    def _shown(self, study: optuna.Study) -> optuna.Study:
        infeasible = [number for number, lesson in self.lessons.items() if lesson is Lesson.INFEASIBLE]
        if not infeasible:
            return study
        trials = every_trial(study)
        for number in infeasible:
            trials[number] = self._as(trials[number], TrialState.PRUNED, violation=math.inf)
        return with_trials(study, trials)


class _Completed(_Shown):
    """A sampler that learns from COMPLETE trials alone, to which others that have ended are shown as such."""

    most: int | None = None  # that it is shown, unless more are COMPLETE: the newest of the others
    constrained = False  # whether it uses constraints

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler's own."""
        return super().infer_relative_search_space(self._shown(study), trial)  # type: ignore[safe-super]

    def _shown(self, study: optuna.Study) -> optuna.Study:
        trials = every_trial(study)
        known = _values(trials, self.lessons)
        if not known:  # until there is a value there is nothing that others are worse than
            return study
        complete = [number for number in known if trials[number].state is TrialState.COMPLETE]
        others = sorted((known.keys() - complete) | self.lessons.keys())
        if self.most is not None:
            others = others[max(0, len(others) + len(complete) - self.most) :]
        constrained = self.constrained and Lesson.INFEASIBLE in self.lessons.values()
        worst = _worst(study.direction, known.values())
        for number in [*complete, *others] if constrained else others:
            violation = None
            if constrained:
                violation = 1.0 if self.lessons.get(number) is Lesson.INFEASIBLE else -1.0
            value = known.get(number, worst)
            trials[number] = self._as(trials[number], TrialState.COMPLETE, value, violation)
        return with_trials(study, trials)


class SweepGPSampler(_Completed, GPSampler):
    """Optuna's, which also learns from trials without a value. Takes the arguments of `GPSampler`.

    Example:
        >>> SweepGPSampler(seed=0, n_startup_trials=3).__class__.__name__
        'SweepGPSampler'
    """

    most = MOST_FOR_GP
    constrained = True


class SweepCmaEsSampler(_Completed, CmaEsSampler):
    """Optuna's, which also learns from trials without a value. Takes the arguments of `CmaEsSampler`.

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


def _values(trials: Sequence[FrozenTrial], failed: Container[int]) -> dict[int, float]:
    """What trials came to, by number: their value or, of a pruned one, the last that it reported."""
    known: dict[int, float] = {}
    for trial in trials:
        if trial.state is TrialState.COMPLETE:
            assert trial.value is not None
            known[trial.number] = trial.value
        elif trial.state is TrialState.PRUNED and trial.intermediate_values and trial.number not in failed:
            last = trial.intermediate_values[max(trial.intermediate_values)]
            if math.isfinite(last):  # a guest's may be NaN
                known[trial.number] = last
    return known


def _worst(direction: StudyDirection, known: Collection[float]) -> float:
    """A value a little worse than any, also where all are the same."""
    low, high = min(known), max(known)
    beyond = 0.1 * (high - low) or abs(high) or 1.0
    return high + beyond if direction == StudyDirection.MINIMIZE else low - beyond
