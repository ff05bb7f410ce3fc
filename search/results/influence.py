"""Which parameters seem to matter most so far: those are shown first where there is no room for all."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from search.config.sweep_config import SweepConfig
from search.results.leaderboard import latest
from search.study.records import Outcome, TrialRecord

_FEWEST = 20  # ended trials; with fewer, what seems to matter is noise
_GROUPS = 3  # of a number's values: low, middle, high


class Influence:
    """Orders a sweep's parameters by how much of the difference between its ended trials goes with each.

    A rough and quick measure, for the order of columns alone; reports give `importances`. The order changes
    rarely, each time that there are twice as many trials: columns that jump cannot be read.

    Args:
        config: the sweep.

    Attributes:
        order: the parameters' names; the space's order, until there are enough trials.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=99, max_epochs=3)
        >>> influence, before = Influence(config), list(SPACE.parameters)
        >>> for number in range(20):
        ...     params = {"depth": 2, "width": number % 2, "lr": number / 20}
        ...     influence.take(TrialRecord(number, TrialState.COMPLETE, params, value=number / 20))
        >>> before[0], influence.order[0]
        ('depth', 'lr')
    """

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._ended: dict[int, tuple[Mapping[str, Any], float]] = {}  # parameters, and how bad
        self._next = _FEWEST
        self.order: Sequence[str] = list(config.space.parameters)

    def take(self, record: TrialRecord) -> None:
        """A trial has changed; it counts once it has ended."""
        value = latest(record, self._config.metric)
        if record.outcome is Outcome.DIVERGED:
            badness = math.inf
        elif record.state.is_finished() and value is not None:
            badness = self._config.goal.sort_key(value)
        else:
            return
        self._ended[record.number] = record.params, badness
        if len(self._ended) >= self._next:
            self._next = 2 * len(self._ended)
            self.order = self._ordered()

    def _ordered(self) -> list[str]:
        ended = sorted(self._ended.values(), key=lambda each: each[1])
        ranks = _ranks([badness for _, badness in ended])
        shares = {
            name: _share([params.get(name) for params, _ in ended], ranks)
            for name in self._config.space.parameters
        }
        return sorted(shares, key=lambda name: -shares[name])


def by_influence(config: SweepConfig, records: Iterable[TrialRecord]) -> Sequence[str]:
    """A sweep's parameters, those first that seem to matter most by these trials."""
    influence = Influence(config)
    for record in records:
        influence.take(record)
    return influence.order


def _ranks(ordered: Sequence[float]) -> list[float]:
    """Ranks of values that are in order, with the mean rank for equal ones."""
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    last = {value: place for place, value in enumerate(ordered)}
    return [(first[value] + last[value]) / 2 for value in ordered]


def _share(values: Sequence[object], ranks: Sequence[float]) -> float:
    """The share of the ranks' variance that lies between groups of a parameter's values.

    It is adjusted for the number of groups, as a regression's share is for that of its terms.
    """
    groups: dict[object, list[float]] = {}
    for group, rank in zip(_grouped(values), ranks, strict=True):
        groups.setdefault(group, []).append(rank)
    mean, trials = sum(ranks) / len(ranks), len(ranks)
    total = sum((rank - mean) ** 2 for rank in ranks)
    if total == 0 or not 1 < len(groups) < trials:
        return 0.0
    within = sum((rank - sum(each) / len(each)) ** 2 for each in groups.values() for rank in each)
    return 1 - within / total * (trials - 1) / (trials - len(groups))


def _grouped(values: Sequence[object]) -> list[object]:
    """Each value's group: low, middle or high numbers, and choices and what does not exist by themselves."""
    numbers = sorted(value for value in values if isinstance(value, int | float))
    if len(set(numbers)) <= _GROUPS:
        return list(values)
    return [
        _GROUPS * bisect.bisect_left(numbers, value) // len(numbers)
        if isinstance(value, int | float)
        else str(value)
        for value in values
    ]
