"""Recorded learning curves as tasks: a search space, and what training any point of it reports.

A folder of curves holds tables of configurations with their curves (TaskSet, or this project's own) and may
hold a surrogate that answers for any configuration (LCBench, as YAHPO Gym fitted it: Pfisterer et al. 2022,
arXiv:2109.03670). Values are to be minimised; NaN says that the training diverged in that epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution, IntDistribution

from spaces.space import SearchSpace

Curve = NDArray[np.float64]
Range = FloatDistribution | IntDistribution

RANDOM_CONFIGURATIONS = 60  # of a random search that trains each to its end


class Session(Protocol):
    """A task as one sweep meets it."""

    def had(self, number: int, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """The configuration that a trial gets, the nearest to its wish; fixed by the first call."""

    def value(self, number: int, epoch: int) -> float:
        """What an epoch of a trial reports, from 1."""

    def end(self, number: int) -> float:
        """What its last epoch would report."""

    def seconds(self, number: int) -> float:
        """Time that one epoch of a trial takes; the median configuration's is 1."""


@dataclass(frozen=True)
class Goal:
    """How good a value is, between the best that is known and a random configuration's first epoch."""

    best: float  # at any epoch
    best_end: float  # at the last epoch
    first: float  # median of random configurations after one epoch
    random_end: float  # mean of the best last value of `RANDOM_CONFIGURATIONS` random configurations

    def regret(self, value: float, *, end: bool) -> float:
        """0 is the best value known, 1 a random configuration after one epoch, or worse, or diverged.

        Example:
            >>> Goal(best=0.1, best_end=0.1, first=1.1, random_end=0.2).regret(0.6, end=True)
            0.5
        """
        oracle = self.best_end if end else self.best
        scaled = (value - oracle) / (self.first - self.best)
        return float(np.clip(scaled, 0.0, 1.0)) if np.isfinite(value) else 1.0


class Task(Protocol):
    """A search space, the epochs of a whole training, and what trainings report."""

    name: str
    space: SearchSpace
    epochs: int
    goal: Goal
    discrete: bool  # whether only some configurations are to be had

    def session(self) -> Session:
        """The task for a new sweep."""


def thinned(epochs: int, recorded: int) -> NDArray[np.int64]:
    """Positions of `epochs` equally spaced points, the last included, in a curve of `recorded` epochs.

    Example:
        >>> thinned(3, 9).tolist()
        [2, 5, 8]
    """
    return np.round(np.arange(1, epochs + 1) * recorded / epochs).astype(np.int64) - 1


def unit(distribution: Range, value: float) -> float:
    """A value's place in its range, from 0 to 1.

    Example:
        >>> unit(FloatDistribution(0.01, 1.0, log=True), 0.1)
        0.5
    """
    low, high, at = float(distribution.low), float(distribution.high), float(value)
    if distribution.log:
        low, high, at = np.log(low), np.log(high), np.log(at)
    return float((at - low) / (high - low))


def value_at(distribution: Range, place: float) -> float | int:
    """The value at a place in its range; the nearest whole one of a range of those.

    Example:
        >>> value_at(IntDistribution(8, 32, step=8), 0.4)
        16
    """
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        at = float(np.exp(np.log(low) + place * (np.log(high) - np.log(low))))
    else:
        at = low + place * (high - low)
    if isinstance(distribution, FloatDistribution):
        return min(max(at, low), high)
    steps = round((at - low) / distribution.step)
    return min(max(distribution.low + steps * distribution.step, distribution.low), distribution.high)


def best_of_random(ends: NDArray[np.float64]) -> float:
    """Mean of the best last value of `RANDOM_CONFIGURATIONS` out of these, drawn without putting back.

    Example:
        >>> best_of_random(np.array([0.3, 0.2, 0.5]))
        0.2
    """
    values = np.sort(ends[np.isfinite(ends)])
    drawn = min(RANDOM_CONFIGURATIONS, len(ends))
    # The best of them is the k-th of all if that one is drawn and none before it.
    chance, mean, left = 1.0, 0.0, len(ends)
    for value in values:
        here = min(1.0, drawn / left)
        mean += chance * here * float(value)
        chance *= 1 - here
        left -= 1
        if chance == 0:
            break
    return mean + chance * float(values[-1])
