"""What earlier sweeps have found, for a new one: what it tries first, and near what it draws.

The best configurations of each earlier sweep come in turn, those that were confirmed before the others, and
of two that are nearly the same one: a portfolio that is good wherever one of those sweeps is like this one
(Feurer et al. 2022, "Auto-Sklearn 2.0", arXiv:2007.04074).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.confirm import newest_confirmation
from search.policy.curves.encoding import Encoding
from search.results.configurations import configurations
from search.results.summary import SweepSummary, summarise
from spaces.space import InvalidSpace, ParamValue, SearchSpace

TRIED_FIRST = 3  # of a sweep of twelve trials or more; of a smaller one a quarter
_BELIEVED = 10  # configurations that trials are drawn near
_NEARLY_SAME = 0.1  # of a range, in every parameter


@dataclass(frozen=True)
class Learnt:
    """What a sweep takes from earlier ones.

    Attributes:
        enqueue: configurations to try first, as far as this space has their values.
        prior: those, and more to draw near.
        lines: what it is taken from, and how that differs from this sweep.

    Example:
        >>> Learnt(enqueue=[], prior=[{"lr": 0.05}], lines=[]).prior
        [{'lr': 0.05}]
    """

    enqueue: list[dict[str, ParamValue]]
    prior: list[dict[str, ParamValue]]
    lines: list[str]


def learn(config: SweepConfig, names: Sequence[str], sweeps_dir: Path) -> Learnt:
    """The best configurations of earlier sweeps, as far as they are configurations of a new one.

    Args:
        config: the new one.
        names: of the earlier ones.
        sweeps_dir: where they lie.

    Raises:
        UserError: one of them is not there, has no completed trial, no parameter in common with this sweep,
            or another goal; or this sweep is a grid.
    """
    if config.sampler == "grid":
        raise UserError("`learn_from`: a grid tries everything there is: leave it out")
    summaries = [summarise(name, sweeps_dir) for name in names]
    found = [list(_best(summary, config)) for summary in summaries]
    distinct = in_turn(found, config.space)
    first = max(1, min(TRIED_FIRST, config.most_trials // 4))
    return Learnt(distinct[:first], distinct, [_told(summary.config, config) for summary in summaries])


def _best(summary: SweepSummary, config: SweepConfig) -> Iterator[dict[str, ParamValue]]:
    """Configurations of an earlier sweep in the new one's space: the confirmed ones, then the others."""
    earlier = summary.config
    if earlier.goal != config.goal:
        raise UserError(
            f"`learn_from={earlier.name}`: it has the goal {earlier.goal}, and this sweep {config.goal}: "
            "learn from sweeps with the same metric and direction"
        )
    if not summary.leaderboard:
        raise UserError(f"`learn_from={earlier.name}`: it has no completed trial to learn from: leave it out")
    if not _common(earlier, config):
        raise UserError(
            f"`learn_from={earlier.name}`: it has none of this sweep's parameters "
            f"({', '.join(config.space.parameters)}): leave it out"
        )
    confirmation = newest_confirmation(summary)
    confirmed = [each.record for each in confirmation.finalists] if confirmation else []
    by_mean = [each.best for each in configurations(summary.records, earlier.goal)]
    others = [record for record in by_mean if record not in confirmed]
    for record in (*confirmed, *others):
        values = {**earlier.space.fixed, **record.params}
        if fitting := _fitting(values, config.space):
            yield fitting


def _common(earlier: SweepConfig, config: SweepConfig) -> set[str]:
    return config.space.parameters.keys() & {*earlier.space.parameters, *earlier.space.fixed}


def _fitting(values: Mapping[str, Any], space: SearchSpace) -> dict[str, ParamValue]:
    """The values that this space can give: of its parameters, in their ranges, and where they exist."""
    fitting: dict[str, ParamValue] = {}
    for _ in space.parameters:  # a parameter is taken once its parent has been
        for name in space.parameters.keys() & values.keys() - fitting.keys():
            try:
                space.check_some({**fitting, name: values[name]})
            except InvalidSpace:
                continue
            fitting[name] = values[name]
    return {name: fitting[name] for name in space.parameters if name in fitting}


def in_turn(
    found: Sequence[Sequence[dict[str, ParamValue]]], space: SearchSpace
) -> list[dict[str, ParamValue]]:
    """The best of each sweep, then the second of each and so on, without those that are nearly the same.

    Args:
        found: configurations of each sweep, the best first.
        space: of the sweep that learns.
    """
    encoding = Encoding(space)
    kept: list[dict[str, ParamValue]] = []
    for values in itertools.chain(*itertools.zip_longest(*found)):
        if values is None:  # a sweep with fewer than others
            continue
        point = encoding.point(values)
        apart = (np.abs(encoding.point(other) - point) for other in kept)
        if not any(np.nanmax(np.nan_to_num(each, nan=0.0)) < _NEARLY_SAME for each in apart):
            kept.append(values)
    return kept[:_BELIEVED]


def _told(earlier: SweepConfig, config: SweepConfig) -> str:
    """`learning from night: depth, lr in common; lr: float 0.1..1 -> float 0.01..1`."""
    common = [name for name in config.space.parameters if name in _common(earlier, config)]
    differs = earlier.space.difference(config.space)
    if earlier.objective != config.objective:
        differs.append(f"it trains {earlier.objective}")
    if earlier.dataset is not None and config.dataset is not None and earlier.dataset != config.dataset:
        sizes = [f"{note.name} ({note.sizes['train']:,} train)" for note in (earlier.dataset, config.dataset)]
        differs.append(f"data: {' -> '.join(sizes)}")
    how = "; ".join(differs) or "the same space and data"
    return f"learning from {earlier.name}: {', '.join(common)} in common; {how}"
