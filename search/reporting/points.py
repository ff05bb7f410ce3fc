"""What charts draw of the trials: all that have a value, those that did not complete at their last one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from search.config.goals import Goal
from search.results.digits import score, shown
from search.results.leaderboard import latest
from search.results.summary import SweepSummary
from search.study.records import TrialRecord


@dataclass(frozen=True)
class Point:
    """A trial and the value that charts show it at.

    Example:
        >>> point = Point(TrialRecord(7, TrialState.PRUNED, {"lr": 0.1}), 0.25)
        >>> point.complete, point.told("val_acc")
        (False, 'trial-007, pruned<br>val_acc 0.2500')
    """

    record: TrialRecord
    value: float

    @property
    def complete(self) -> bool:
        """Whether it is the trial's result, and not just what it last reported."""
        return self.record.state is TrialState.COMPLETE

    def told(self, metric: str, *names: str) -> str:
        """What is said of it when it is pointed at, with these parameters."""
        lines = [f"{self.record.key}, {self.record.outcome}", f"{metric} {score(self.value)}"]
        return "<br>".join([*lines, *(f"{name} {shown(self.record.params.get(name))}" for name in names)])


def points_of(summary: SweepSummary) -> list[Point]:
    """All trials that have a value, by number."""
    valued = [(record, latest(record, summary.config.metric)) for record in summary.records]
    return [Point(record, value) for record, value in valued if value is not None and math.isfinite(value)]


def best_of(points: Sequence[Point], goal: Goal) -> Point | None:
    """The best of those that completed; None while there is none."""
    complete = [point for point in points if point.complete]
    return min(complete, key=lambda point: (goal.sort_key(point.value), point.record.number), default=None)


def steps_of(points: Sequence[Point], goal: Goal) -> list[tuple[int, float]]:
    """The best value so far, at each trial that bettered it and at the last one; empty if none completed."""
    steps: list[tuple[int, float]] = []
    for point in points:
        if point.complete and (not steps or goal.better(point.value, than=steps[-1][1])):
            steps.append((point.record.number, point.value))
    return [*steps, (points[-1].record.number, steps[-1][1])] if steps else []


def thinned(points: Sequence[Point], goal: Goal, most: int) -> tuple[Sequence[Point], str]:
    """At most so many of the points, and words for a title; all, and no words, if there are no more.

    Half of them completed, if so many did. The best is among them, and the others are an even choice by rank.
    """
    if len(points) <= most:
        return points, ""
    complete, rest = (
        sorted((each for each in points if each.complete is side), key=lambda each: goal.sort_key(each.value))
        for side in (True, False)
    )
    kept = min(len(complete), max(most // 2, most - len(rest)))
    some = [*_evenly(complete, kept), *_evenly(rest, most - kept)]
    return sorted(some, key=lambda point: point.record.number), f" ({most:,} of {len(points):,} trials)"


def _evenly(points: Sequence[Point], count: int) -> list[Point]:
    return [points[place * len(points) // count] for place in range(count)]
