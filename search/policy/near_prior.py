"""Draws near what is believed to be good: a share of the trials, half of them at first and ever fewer.

What is believed may be wrong, so most trials are drawn as they would be without it, and what those find
counts more and more (as in PriorBand: Mallik et al. 2023, arXiv:2306.12370).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from search.policy.curves.encoding import Encoding, Floats
from search.policy.reseeding import Reseeded
from search.study.hand_outs import WHY_DRAWN
from search.study.optuna_private import enqueued_params, note
from spaces.space import SearchSpace

_HALVED_AFTER = (
    16  # trials: then a quarter of them is drawn near the prior, an eighth after three times as many
)
_SPREAD = 0.1  # of a range: how far around a value is drawn
_OTHER_CHOICE = 0.1  # chance of a choice that is not the believed one


def share(number: int) -> float:
    """How probable it is that a trial is drawn near the prior.

    >>> [share(number) for number in (0, 16, 48)]
    [0.5, 0.25, 0.125]
    """
    return 0.5 / (1 + number / _HALVED_AFTER)


class NearPrior(Reseeded):
    """A sampler that draws some trials near configurations that are believed to be good; for Optuna's.

    Which trials these are, and where they lie, follows from the sweep's seed and the trial's number. What a
    trial was enqueued with is left to the sampler.

    Example:
        >>> from optuna.distributions import FloatDistribution
        >>> from optuna.samplers import RandomSampler
        >>> class Guided(NearPrior, RandomSampler): ...
        >>> sampler = Guided(seed=0)
        >>> sampler.space = SearchSpace(
        ...     name="mine", description="One.", parameters={"lr": FloatDistribution(1e-4, 1, log=True)}
        ... )
        >>> sampler.prior = [{"lr": 0.05}]
        >>> study = optuna.create_study(study_name="near", sampler=sampler)
        >>> drawn = [sampler.space.suggest(study.ask())["lr"] for _ in range(20)]
        >>> 4 < sum(0.01 < lr < 0.25 for lr in drawn)
        True
    """

    space: SearchSpace
    prior: Sequence[Mapping[str, Any]] = ()  # values of some or all parameters, the best first

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler's own or, near the prior, the whole space."""
        if self._is_near(trial):
            return dict(self.space.parameters)
        return super().infer_relative_search_space(study, trial)  # type: ignore[safe-super]

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler's own or, near the prior, a whole configuration."""
        if not self._is_near(trial):
            return super().sample_relative(study, trial, search_space)  # type: ignore[safe-super]
        rng = self._generator(trial)
        rng.random()  # which has decided that this trial is near
        weights = 1 / np.arange(1, len(self.prior) + 1)
        place = int(rng.choice(len(self.prior), p=weights / weights.sum()))
        note(study, trial, WHY_DRAWN, f"near {'what is believed' if place == 0 else f'belief {place + 1}'}")
        # Made anew: a sampler's generators are seeded by their places among its attributes.
        encoding = Encoding(self.space)
        near = _near(encoding.point(self.prior[place]), encoding.is_choice(), rng)
        return encoding.values(encoding.drawn(near[None])[0])

    def _is_near(self, trial: FrozenTrial) -> bool:
        if not self.prior or enqueued_params(trial) is not None:
            return False
        return self._generator(trial).random() < share(trial.number)

    def _generator(self, trial: FrozenTrial) -> np.random.Generator:
        return np.random.default_rng([self.sweep_seed, trial.number, len(self.prior)])


def _near(believed: Floats, is_choice: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """A point around one, each number within the range; what nothing is believed of is anywhere."""
    anywhere = rng.random(len(believed))
    moved = believed + _SPREAD * rng.standard_normal(len(believed))
    moved = 1 - np.abs(1 - np.abs(moved))  # reflected at the ends of the range
    other = is_choice & (rng.random(len(believed)) < _OTHER_CHOICE)
    kept = np.where(is_choice, believed, moved)
    return np.where(np.isnan(believed) | other, anywhere, np.clip(kept, 0, math.nextafter(1, 0)))
