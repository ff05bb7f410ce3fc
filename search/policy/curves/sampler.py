"""A sampler that learns from whole curves, those of trials that froze, were pruned or still run among them.

It begins with the middle of the space and goes on with a scrambled Sobol sequence (Owen 1998). Then it asks
the model of the curves, of some hundred configurations drawn at random and near the best ones, for the most
probable to be better than the best value so far, by a random amount, after a random number of epochs
(Rakotoarison et al. 2024, arXiv:2404.16795). A share is drawn uniformly whatever the model says, so that
nothing is left out for ever (Bull 2011, arXiv:1101.3501).
"""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from search.policy.curves.encoding import Encoding, Floats
from search.policy.curves.history import NOTE, History
from search.policy.curves.model import CurveModel, Observed
from search.policy.curves.process import Posterior
from search.policy.curves.table import Curves
from search.policy.reseeding import Reseeded
from search.study.hand_outs import WHY_DRAWN
from search.study.optuna_private import enqueued_params, note
from spaces.space import SearchSpace

_FEWEST = 4  # curves to learn from
_SOBOL_POINTS = 1024  # more are drawn uniformly
_FRESH, _NEAR = 128, 64  # candidates, drawn at random and near the best
_BEST = 5
_STEPS = (-2.0, -0.7)  # how far near is: powers of ten
_IMPROVEMENTS = (-3.0, -0.3)  # and by how much a value is to be better
_REFIT = 1.25  # hyperparameters are fitted again after so many times the epochs
_logger = logging.getLogger(__name__)


class CurvesSampler(Reseeded, BaseSampler):
    """Chooses new configurations by a Gaussian process over configurations and epochs.

    Args:
        space: what is searched.
        max_epochs: of a trial that trains to its end.
        n_startup_trials: trials before the model is asked.
        uniform: share of the later trials that are drawn uniformly.
        seed: of the sweep.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> study = optuna.create_study(sampler=CurvesSampler(SPACE, max_epochs=9))
        >>> SPACE.suggest(study.ask())["depth"]
        2
    """

    def __init__(
        self,
        space: SearchSpace,
        max_epochs: int,
        n_startup_trials: int = 8,
        uniform: float = 0.25,
        seed: int = 0,
    ) -> None:
        if n_startup_trials < 1:
            raise ValueError(f"n_startup_trials={n_startup_trials}: give at least 1")
        if not 0 <= uniform <= 1:
            raise ValueError(f"uniform={uniform}: give a share, from 0 to 1")
        self._space = space
        self._encoding = Encoding(space)
        self._model = CurveModel(self._encoding, max_epochs)
        self._first = n_startup_trials
        self._uniform = uniform
        self._seed = seed
        self._others = RandomSampler(seed=seed)  # draws what the space does not have
        self._sobol: Floats | None = None
        self._known = History(self._encoding)
        self._told_of_failure = False

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The whole space: a configuration is drawn at once."""
        return dict(self._space.parameters)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Drawn uniformly: what is not in the space."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A configuration, in which the values that the trial was enqueued with are kept."""
        rng = np.random.default_rng([self.sweep_seed, trial.number])
        fixed = self._encoding.point(enqueued_params(trial) or {})
        self._known.take_in(study)
        place, curves = self._known.place(trial.number), self._known.curves(but=trial.number)
        if place < self._first or np.isfinite(curves.bests).sum() < _FEWEST:
            point = self._with(fixed, self._quasi_random(place, rng)[None])[0]
        elif rng.random() < self._uniform:
            point = self._with(fixed, rng.random((1, self._encoding.dimensions)))[0]
        else:
            point = self._chosen(study, trial, curves, fixed, rng)
        return self._encoding.values(point)

    def _with(self, fixed: Floats, units: Floats) -> Floats:
        """The points that are drawn at these numbers, with what is fixed."""
        return self._encoding.drawn(np.where(np.isnan(fixed), units, fixed))

    def _quasi_random(self, place: int, rng: np.random.Generator) -> Floats:
        """The n-th point of a scrambled Sobol sequence; the first is the middle of the space."""
        dimensions = self._encoding.dimensions
        if place == 0:
            return np.full(dimensions, 0.5)
        if place >= _SOBOL_POINTS:
            return rng.random(dimensions)
        if self._sobol is None:
            from scipy.stats import qmc  # takes a second, which only this sampler needs

            self._sobol = np.asarray(qmc.Sobol(dimensions, seed=self._seed).random(_SOBOL_POINTS))
        return np.asarray(self._sobol[place])

    def _chosen(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        curves: Curves,
        fixed: Floats,
        rng: np.random.Generator,
    ) -> Floats:
        """What the model holds to be the best of the candidates; drawn uniformly if it fails."""
        candidates = self._known.untried(self._with(fixed, self._candidates(curves, rng)))
        try:
            posterior, observed, fit = self._fitted(curves)
        except np.linalg.LinAlgError as error:
            if not self._told_of_failure:
                _logger.warning("the model of the curves fails (%s): trials are drawn uniformly", error)
            self._told_of_failure = True
            return np.asarray(candidates[0])
        horizon = round(math.exp(rng.uniform(0, math.log(self._model.max_epochs))))
        better_than = observed.best - 10 ** rng.uniform(*_IMPROVEMENTS)
        mean, spread = posterior.predict(self._model.at(candidates, horizon))
        place = int(np.argmax((better_than - mean) / spread))  # the most probable of all
        chance = _normal((better_than - mean[place]) / spread[place])
        note(study, trial, WHY_DRAWN, f"P(improve) {chance:.2f} at epoch {horizon}")
        if fit:
            note(study, trial, NOTE, fit)
        return np.asarray(candidates[place])

    def _candidates(self, curves: Curves, rng: np.random.Generator) -> Floats:
        """Numbers from 0 to 1, (n, dimensions): at random, and near the best trials."""
        d = self._encoding.dimensions
        fresh = rng.random((_FRESH, d))
        best = np.argsort(curves.lasts, kind="stable")[:_BEST]
        around = curves.points[best][rng.integers(len(best), size=_NEAR)]
        elsewhere = rng.random((_NEAR, d))
        around = np.where(np.isnan(around), elsewhere, around)
        step = rng.standard_normal((_NEAR, d)) * 10 ** rng.uniform(*_STEPS, (_NEAR, 1))
        changed = rng.random((_NEAR, d)) < max(0.3, 2 / d)
        moved = np.where(self._encoding.is_choice(), elsewhere, np.clip(around + step, 0, 1))
        return np.concatenate([fresh, np.where(changed, moved, around)])

    def _fitted(self, curves: Curves) -> tuple[Posterior, Observed, dict[str, Any]]:
        """The model, by the newest hyperparameters in the study or, when they are old, by new ones."""
        observed = self._model.observed(curves)
        epochs, newest = int(curves.lengths.sum()), self._known.newest_fit()
        if newest is not None and epochs < _REFIT * newest["fitted_to"] + 4:
            theta = np.array(newest["hyperparameters"])
            fit: dict[str, Any] = {}
        else:
            theta = self._model.fitted(observed)
            fit = {"fitted_to": epochs, "hyperparameters": theta.tolist()}
        return self._model.posterior(theta, observed), observed, fit


def _normal(z: float) -> float:
    """The share of a normal distribution below z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))
