"""What earlier sweeps have found, for a new one: what it tries first, and near what it draws.

Of each earlier sweep the configurations that were confirmed come before those that only looked good there.
Which of all sweeps' are chosen: `portfolio`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.confirm import newest_confirmation
from search.launching.portfolio import Found, portfolio
from search.policy.curves.encoding import Encoding
from search.policy.curves.table import Curve
from search.policy.settling import settled
from search.results.configurations import configurations
from search.results.summary import SweepSummary, summarise
from search.study.records import StopReason, TrialRecord
from spaces.space import InvalidSpace, ParamValue, SearchSpace


@dataclass(frozen=True)
class Learnt:
    """What a sweep takes from earlier ones.

    Attributes:
        enqueue: configurations to try first, as far as this space has their values.
        prior: those, and more to draw near.
        seed: this sweep's, or the first one after it that no earlier sweep has drawn with.
        lines: what it is taken from, and how that differs from this sweep.

    Example:
        >>> Learnt(enqueue=[], prior=[{"lr": 0.05}], seed=1, lines=[]).prior
        [{'lr': 0.05}]
    """

    enqueue: list[dict[str, ParamValue]]
    prior: list[dict[str, ParamValue]]
    seed: int
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
    summaries = [summarise(name, sweeps_dir) for name in dict.fromkeys(names)]
    found = [_found(summary, config) for summary in summaries]
    distinct = portfolio(found, config.space)
    first = distinct[: tried_first(settled(config))]
    lines = [_told(summary.config, config) for summary in summaries]
    lines.append(f"{len(first)} of {len(distinct)} configurations that they have found are tried first")
    drawn_with = {summary.config.seed for summary in summaries}
    seed = next(seed for seed in itertools.count(config.seed) if seed not in drawn_with)
    return Learnt(first, distinct, seed, lines)


def tried_first(config: SweepConfig) -> int:
    """How many of what earlier sweeps have found a sweep tries before it draws any.

    Where trials freeze, trying one takes an epoch: all of them, for a twentieth of the budget at most.
    Otherwise each may be trained to its end: three, of fewer than twelve trials a quarter.
    """
    if config.pruner == "promotion":
        return max(1, config.most_trials // 20)
    return max(1, min(3, config.most_trials // 4))


def _found(summary: SweepSummary, config: SweepConfig) -> Found:
    best = list(_best(summary, config))
    return Found(summary.config.name, best, list(_curves(summary, config)), summary.config.max_epochs)


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


def _curves(summary: SweepSummary, config: SweepConfig) -> Iterator[Curve]:
    """What an earlier sweep's trials reported, of those that this sweep could have too."""
    goal, space, encoding = config.goal, config.space, Encoding(config.space)
    for record in summary.records:
        values = {**summary.config.space.fixed, **record.params}
        fitting = _fitting(values, space)
        lacking = (space.parameters.keys() & values.keys()) - fitting.keys()
        if any(_is_used(name, fitting, space) for name in lacking):
            continue  # it lies outside of this space
        seen = {
            each.epoch: goal.sort_key(each.metrics[goal.metric])
            for each in record.epochs
            if math.isfinite(each.metrics.get(goal.metric, math.nan))
        }
        yield Curve(encoding.point(fitting), tuple(seen), tuple(seen.values()), _has_failed(record))


def _is_used(name: str, values: Mapping[str, ParamValue], space: SearchSpace) -> bool:
    """Whether a configuration with these values has that parameter."""
    condition = space.conditions.get(name)
    return condition is None or values.get(condition.parent) == condition.value


def _has_failed(record: TrialRecord) -> bool:
    return record.stop_reason in (StopReason.DIVERGED, StopReason.OOM)


def _told(earlier: SweepConfig, config: SweepConfig) -> str:
    """`learning from night: depth, lr in common; lr: float 0.1..1 -> float 0.01..1`."""
    common = [name for name in config.space.parameters if name in _common(earlier, config)]
    differs = earlier.space.difference(config.space)
    if earlier.objective != config.objective:
        differs.append(f"it trains {earlier.objective}")
    if earlier.dataset is not None and config.dataset is not None and earlier.dataset != config.dataset:
        sizes = [f"{note.name} ({note.sizes['train']:,} train)" for note in (earlier.dataset, config.dataset)]
        differs.append(f"data: {' -> '.join(sizes)}")
    if earlier.max_epochs != config.max_epochs:
        differs.append(f"epochs of a trial: {earlier.max_epochs} -> {config.max_epochs}")
    how = "; ".join(differs) or "the same space, data and epochs"
    return f"learning from {earlier.name}: {', '.join(common)} in common; {how}"
