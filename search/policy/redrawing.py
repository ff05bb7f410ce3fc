"""Samplers that draw again what has diverged or run out of memory before."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from search.policy.reseeding import Reseeded
from search.policy.taught import Taught
from search.study.optuna_private import enqueued_params, every_trial
from spaces import ranges
from spaces.space import ParamValue, SearchSpace

_RANDOM_DRAWS = 500  # after the sampler's own: they miss one point in a hundred with a chance of 0.7%


class Redrawing(Reseeded, Taught):
    """A sampler that proposes no configuration again that diverged or ran out of memory; for Optuna's.

    Whole configurations are compared, so once a trial has failed so, all parameters are drawn at once.
    Further draws follow, as the first does, from the sweep's seed, the trial's number and the history. Where
    these find no other, the first stays, and so does what somebody has enqueued.

    Example:
        >>> from optuna.distributions import CategoricalDistribution
        >>> from optuna.trial import TrialState
        >>> class Careful(Redrawing, RandomSampler): ...
        >>> sampler = Careful(seed=0)
        >>> sampler.space = SearchSpace(
        ...     name="sizes", description="Two.", parameters={"size": CategoricalDistribution([1, 2])}
        ... )
        >>> study = optuna.create_study(sampler=sampler)
        >>> trial = study.ask()
        >>> failed = sampler.space.suggest(trial)
        >>> trial.set_user_attr("stop_reason", "oom")
        >>> _ = study.tell(trial, state=TrialState.FAIL)
        >>> any(sampler.space.suggest(study.ask()) == failed for _ in range(20))
        False
    """

    own_draws = 4  # before those at random: a sampler that has learned may insist on what it holds to be best
    space: SearchSpace
    failed: Set[Hashable] = frozenset()  # points at which this trial may not lie
    own_space: Mapping[str, BaseDistribution] = {}  # what the sampler by itself draws together
    points: Mapping[int, Hashable] = {}  # where trials lie that failed, by number,
    all_failed: Set[Hashable] = frozenset()  # and all of these

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As the sampler's own."""
        super().before_trial(study, trial)
        self.failed = frozenset()
        if self.lessons and enqueued_params(trial) is None:
            failed, size = self._points(every_trial(study)), self.space.size()
            if size is None or len(failed) < size:  # else there is no other
                self.failed = failed

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler's own or, once a trial has failed, with all the rest."""
        own_space = super().infer_relative_search_space(study, trial)  # type: ignore[safe-super]
        self.own_space = own_space
        return {**own_space, **self.space.parameters} if self.failed else own_space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler's own or, once a trial has failed, a whole configuration that has not."""
        if not self.failed:
            return super().sample_relative(study, trial, search_space)  # type: ignore[safe-super]
        draws = self._draws(study, trial)
        first = next(draws)
        allowed = (drawn for drawn in chain([first], draws) if self._point(drawn) not in self.failed)
        return next(allowed, first)

    def _draws(self, study: optuna.Study, trial: FrozenTrial) -> Iterator[dict[str, Any]]:
        """Whole configurations: as the sampler draws them, then at random."""
        for attempt in range(self.own_draws):
            if attempt:
                self.reseed(trial, attempt)
            together = super().sample_relative(study, trial, dict(self.own_space))  # type: ignore[safe-super]
            yield self._completed(together, self, study, trial)
        seed = np.random.SeedSequence([self.sweep_seed, trial.number], spawn_key=(self.own_draws,))
        uniform = RandomSampler(seed=int(seed.generate_state(1)[0]))
        for _ in range(_RANDOM_DRAWS):
            yield self._completed({}, uniform, study, trial)

    def _points(self, trials: Sequence[FrozenTrial]) -> Set[Hashable]:
        if self.lessons.keys() != self.points.keys():  # made again only if something new has failed
            known = self.points
            self.points = {
                number: known[number] if number in known else self._point(trials[number].params)
                for number in self.lessons
            }
            self.all_failed = frozenset(self.points.values())
        return self.all_failed

    def _point(self, params: Mapping[str, ParamValue]) -> Hashable:
        """What two configurations have in common that differ by rounding alone."""
        return tuple(
            (name, _place(distribution, params[name]))
            for name, distribution in self.space.parameters.items()
            if name in params
        )

    def _completed(
        self, together: Mapping[str, Any], sampler: BaseSampler, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, Any]:
        """A whole configuration, of which a part has been drawn."""

        def value(name: str) -> Any:
            distribution = self.space.parameters[name]
            if distribution.single():
                return ranges.values(distribution)[0]
            if name in together:
                return together[name]
            return sampler.sample_independent(study, trial, name, distribution)

        drawn = self.space.suggest(_Draft(value))
        return {name: drawn[name] for name in self.space.parameters if name in drawn}


class _Draft:
    """What a space draws its values from, before there is a trial that has them."""

    def __init__(self, value: Callable[[str], Any]) -> None:
        self._value = value

    def suggest_float(self, name: str, *_: object, **__: object) -> float:
        return float(self._value(name))

    def suggest_int(self, name: str, *_: object, **__: object) -> int:
        return int(self._value(name))

    def suggest_categorical(self, name: str, *_: object) -> ParamValue:
        value: ParamValue = self._value(name)
        return value


def _place(distribution: BaseDistribution, value: ParamValue) -> ParamValue:
    """A value, or how many steps it is up: `low + k * step` in floats is seldom exact."""
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        assert isinstance(value, int | float)
        return round((value - distribution.low) / distribution.step)
    return value
