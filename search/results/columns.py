"""What the columns of a table of trials are called, so that no parameter or metric hides another column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from search.config.sweep_config import SweepConfig


@dataclass(frozen=True)
class Columns:
    """The names under which a table shows metrics and parameters: their own wherever these are free.

    Where a table has a column of that name already, `metric.` or `param.` comes before it.

    Example:
        >>> from optuna.distributions import FloatDistribution, IntDistribution
        >>> from spaces.space import SearchSpace
        >>> parameters = {"lr": FloatDistribution(0.01, 1.0), "epochs": IntDistribution(1, 9)}
        >>> space = SearchSpace(name="mine", description="My own.", parameters=parameters)
        >>> config = SweepConfig(
        ...     name="night", space=space, objective="package.module:train", max_epochs=9, trials=20
        ... )
        >>> Columns.of([config], own=["trial", "epochs"]).params
        {'lr': 'lr', 'epochs': 'param.epochs'}
    """

    metrics: dict[str, str]
    params: dict[str, str]

    @classmethod
    def of(cls, configs: Sequence[SweepConfig], own: Iterable[str]) -> Self:
        """The columns of a table of these sweeps' trials that has columns of its `own` too."""
        metrics = apart("metric", (config.metric for config in configs), own)
        names = (name for config in configs for name in config.space.parameters)
        return cls(metrics, apart("param", names, [*own, *metrics.values()]))


def apart(kind: str, names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Each name with what it is shown as: with `kind.` before it, for as long as that is taken."""
    used, columns = set(taken), {}
    for name in dict.fromkeys(names):
        column = name
        while column in used:
            column = f"{kind}.{column}"
        used.add(column)
        columns[name] = column
    return columns
