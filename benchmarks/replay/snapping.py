"""A sampler on a table: the study holds the configuration that the table had, not the one wished for."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from benchmarks.replay.tasks import Session, Task


class Snapping(BaseSampler):
    """Another sampler, whose configurations are replaced by the nearest that the table has left.

    What it learns from would be wrong else: the values of a table's row, beside other parameters.

    Args:
        inner: the sampler.
        task: the table.
        session: of the sweep.
    """

    def __init__(self, inner: BaseSampler, task: Task, session: Session) -> None:
        self._inner, self._task, self._session = inner, task, session

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters, for a row is chosen by all of them."""
        return dict(self._task.space.parameters)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The row nearest to what the inner sampler would have, drawn as Optuna draws it."""
        together = self._inner.infer_relative_search_space(study, trial)
        wish = self._inner.sample_relative(study, trial, together)
        for name, distribution in search_space.items():
            if name not in wish:
                wish[name] = self._inner.sample_independent(study, trial, name, distribution)
        return dict(self._session.had(trial.number, wish))

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Not asked for: every parameter is in the row."""
        raise AssertionError(f"{param_name} is not of the table")

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """The inner one seeds its generators here."""
        self._inner.before_trial(study, trial)

    def after_trial(self, *ended: Any) -> None:
        """The inner one's."""
        self._inner.after_trial(*ended)
