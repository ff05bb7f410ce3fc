"""Configurations, each with all the trials that completed it: in a small space one comes again and again.

Every trial has a seed of its own, so each is another measurement of its configuration. Ranked by the best of
them the one with the luckiest seed would win, which is more likely the more it has: so they are ranked by
their means.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from search.config.goals import Goal
from search.config.sweep_config import SweepConfig
from search.results.digits import score, shown
from search.study.records import TrialRecord, ranked


@dataclass(frozen=True)
class Configuration:
    """A configuration and the trials that completed it.

    Attributes:
        records: the trials, the best first; at least one.

    Example:
        >>> from optuna.trial import TrialState
        >>> records = [
        ...     TrialRecord(n, TrialState.COMPLETE, {"depth": n % 2}, value=value)
        ...     for n, value in enumerate((0.7, 0.8, 0.75, 0.5))
        ... ]
        >>> best, other = configurations(records, Goal("val_acc", "maximize"))
        >>> best.best.key, round(best.mean, 3), len(best.records)
        ('trial-002', 0.725, 2)
    """

    records: tuple[TrialRecord, ...]

    @property
    def best(self) -> TrialRecord:
        """Its best trial."""
        return self.records[0]

    @property
    def values(self) -> list[float]:
        """Of its trials, the best first."""
        return [record.value for record in self.records if record.value is not None]

    @property
    def mean(self) -> float:
        """Of its trials."""
        return fmean(self.values)


def configurations(records: Iterable[TrialRecord], goal: Goal) -> list[Configuration]:
    """The distinct configurations that completed, the one with the best mean first."""
    alike: dict[str, list[TrialRecord]] = {}
    for record in ranked(records, goal):
        if record.value is not None:
            alike.setdefault(json.dumps(dict(record.params), sort_keys=True), []).append(record)
    found = [Configuration(tuple(trials)) for trials in alike.values()]
    return sorted(found, key=lambda each: goal.sort_key(each.mean))


def repeated_text(config: SweepConfig, records: Iterable[TrialRecord]) -> str | None:
    """The best configuration by its mean, in one line; None where each was completed once."""
    found = configurations(records, config.goal)
    if all(len(each.records) == 1 for each in found):
        return None
    best = found[0]
    params = ", ".join(f"{name}={shown(value)}" for name, value in best.best.params.items())
    seeds = "one seed" if len(best.records) == 1 else f"{len(best.records)} seeds"
    spread = ""
    if len(best.records) > 1:
        low, high = sorted((best.values[0], best.values[-1]))
        spread = f" ({score(low)} to {score(high)})"
    return (
        f"{len(found)} distinct configurations completed, some with several seeds; best mean "
        f"{config.metric} {score(best.mean)} over {seeds}{spread}: {params}"
    )
