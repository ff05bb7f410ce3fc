"""TPE whose cost stops growing with the sweep."""

from __future__ import annotations

import inspect
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from search.study.optuna_private import best_for_tpe, every_trial, with_trials

NEWEST = 500
BEST = 100


class BoundedTPESampler(TPESampler):
    """Optuna's TPE over the best `BEST` and at least the newest `NEWEST` trials of a study.

    TPE looks at every trial there is, so each `ask` takes longer than the one before. It tells the best
    trials (25 at most, by Optuna's default) from the rest, in which older trials weigh less, by Optuna's
    default too: leaving most of the oldest out changes little. A study of up to 2 * `NEWEST` trials is
    sampled exactly as by Optuna.

    Takes the arguments of `TPESampler`.

    Example:
        >>> study = optuna.create_study(sampler=BoundedTPESampler(seed=0))
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
        >>> len(study.trials)
        3
    """

    __signature__ = inspect.signature(TPESampler)  # what `build` checks arguments by

    def __init__(self, **args: Any) -> None:
        super().__init__(**args)
        self._since = 0  # trials from this number on are all looked at,
        self._kept: list[int] = []  # and these before it

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's, over a part of the study."""
        return super().sample_relative(self._part(study), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As Optuna's, over a part of the study."""
        return super().sample_independent(self._part(study), trial, param_name, param_distribution)

    def _part(self, study: optuna.Study) -> optuna.Study:
        trials = every_trial(study)
        # Whole steps, so that a resumed sampler looks at the same trials.
        since = max(0, len(trials) // NEWEST - 1) * NEWEST if len(trials) > 2 * NEWEST else 0
        if since != self._since:
            self._since = since
            old = trials[: self._since]
            running = [trial.number for trial in old if trial.state is TrialState.RUNNING]
            finished = [trial for trial in old if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
            best = best_for_tpe(study, finished, BEST)
            self._kept = sorted([*running, *(trial.number for trial in best)])
        if not self._since:
            return study
        return with_trials(study, [trials[number] for number in self._kept] + trials[self._since :])
