"""What the columns of a table of trials are called, so that no parameter or metric hides another column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rich.cells import cell_len

from search.config.sweep_config import SweepConfig

GAP = 2  # between two columns


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


def fitted(columns: Mapping[str, Sequence[str]], width: int, kept: int) -> dict[str, list[str]]:
    """The columns that fit beside each other, and how many are left out, if any are.

    Args:
        columns: cells by heading, those first that matter most.
        width: of the screen, in characters.
        kept: how many of the first columns there are at least, however narrow the screen is.

    >>> cells = {"trial": ["trial-000"], "epoch": ["2/9"], "lr": ["0.1"], "optimizer": ["sgd"]}
    >>> list(fitted(cells, width=80, kept=2)), list(fitted(cells, width=30, kept=2))
    (['trial', 'epoch', 'lr', 'optimizer'], ['trial', 'epoch', 'lr', '+1 more'])
    """
    pairs = [(heading, list(cells)) for heading, cells in columns.items()]
    for shown in range(len(pairs), kept - 1, -1):
        rest = [(f"+{len(pairs) - shown} more", [""] * len(pairs[0][1]))] if shown < len(pairs) else []
        tried = dict(pairs[:shown] + rest)
        if sum(map(_width, tried.items())) + GAP * (len(tried) - 1) <= width:
            return tried
    return dict(pairs[:kept])


def _width(column: tuple[str, Sequence[str]]) -> int:
    heading, cells = column
    return max(map(cell_len, [heading, *cells]))
