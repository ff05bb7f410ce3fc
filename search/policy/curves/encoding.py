"""Configurations as points of the unit cube, to draw, and as features, to compare.

A number lies where it lies in its range (on the range's own scale), a choice in the middle of its share of 0
to 1. Features differ from that in two things. Choices have no order, so each is a column of its own, and two
of them are as far apart as the ends of a range. A parameter that does not exist, for its parent has another
value, is in the middle of its range: two configurations without it do not differ by it (Levesque et al.
2017, "Bayesian optimization for conditional hyperparameter spaces").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces import ranges
from spaces.rules import ancestors
from spaces.space import SearchSpace

Floats = NDArray[np.float64]
_HALF_DIAGONAL = math.sqrt(0.5)  # so that two choices' columns are 1 apart


class _Axis:
    """One parameter as numbers from 0 to 1."""

    def __init__(self, distribution: BaseDistribution) -> None:
        self._distribution = distribution
        self._count = ranges.count(distribution)  # of values; None: a continuous range
        self._log = bool(getattr(distribution, "log", False)) and self._count != 1
        self.choices = (
            len(distribution.choices) if isinstance(distribution, CategoricalDistribution) else None
        )
        if self._log:
            assert isinstance(distribution, FloatDistribution | IntDistribution)
            half = 0.5 if isinstance(distribution, IntDistribution) else 0.0
            self._low, self._high = math.log(distribution.low - half), math.log(distribution.high + half)

    def unit(self, value: Any) -> float:
        """Where a value lies; a guest's may lie outside of the range, and is then at its end."""
        distribution = self._distribution
        if isinstance(distribution, CategoricalDistribution):
            same = [ranges.same(value, choice) for choice in distribution.choices]
            return (same.index(True) + 0.5) / len(same) if True in same else 0.5
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        value = min(max(value, distribution.low), distribution.high)
        if self._log:
            return float((math.log(value) - self._low) / (self._high - self._low))
        if self._count is not None:
            place = round((value - distribution.low) / (distribution.step or 1.0))
            return float((min(place, self._count - 1) + 0.5) / self._count)
        return float((value - distribution.low) / (distribution.high - distribution.low))

    def snapped(self, units: Floats) -> Floats:
        """Each moved to where the value lies that is drawn there."""
        if self._log and isinstance(self._distribution, IntDistribution):
            values = np.round(np.exp(self._low + units * (self._high - self._low)))
            values = np.clip(values, self._distribution.low, self._distribution.high)
            return np.asarray((np.log(values) - self._low) / (self._high - self._low))
        if self._count is not None and not self._log:
            return np.asarray((self._cell(units) + 0.5) / self._count)
        return units

    def value(self, unit: float) -> ranges.ParamValue:
        """The value that is drawn there."""
        distribution = self._distribution
        if isinstance(distribution, CategoricalDistribution):
            choice: ranges.ParamValue = distribution.choices[int(self._cell(np.array(unit)))]
            return choice
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        low, high = distribution.low, distribution.high
        if self._log:
            number = math.exp(self._low + unit * (self._high - self._low))
            number = round(number) if isinstance(distribution, IntDistribution) else number
            return min(max(number, low), high)
        if self._count is None:
            return min(max(low + unit * (high - low), low), high)
        place = int(self._cell(np.array(unit)))
        if isinstance(distribution, IntDistribution):
            return int(low + place * distribution.step)
        # In decimals, as the ranges count their steps.
        return float(Decimal(str(low)) + place * Decimal(str(distribution.step or 0)))

    def _cell(self, units: Floats) -> Floats:
        assert self._count is not None
        return np.minimum(np.floor(units * self._count), self._count - 1)


class Encoding:
    """The parameters of a space as numbers.

    Args:
        space: what is searched.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> encoding = Encoding(SPACE)
        >>> point = encoding.point({"depth": 2, "width": 32, "lr": 0.1})
        >>> encoding.values(point)["width"]
        32
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self.names = list(space.parameters)
        self._axes = [_Axis(space.parameters[name]) for name in self.names]
        self.dimensions = len(self.names)
        self.columns = np.repeat(np.arange(self.dimensions), [axis.choices or 1 for axis in self._axes])
        """The parameter that each column of the features belongs to."""
        # Parents first, so that whether they exist is known.
        self._conditional = sorted(
            (name for name in self.names if name in space.conditions),
            key=lambda name: len(list(ancestors(name, space.conditions))),
        )

    def point(self, params: Mapping[str, Any]) -> Floats:
        """A configuration as a point, (dimensions,); NaN where it lacks a parameter."""
        return np.array(
            [
                axis.unit(params[name]) if name in params else math.nan
                for name, axis in zip(self.names, self._axes, strict=True)
            ]
        )

    def drawn(self, units: Floats) -> Floats:
        """Numbers from 0 to 1, (n, dimensions), as the points drawn there, NaN for what does not exist."""
        points = np.stack([axis.snapped(units[:, place]) for place, axis in enumerate(self._axes)], axis=1)
        for name in self._conditional:
            condition = self._space.conditions[name]
            parent = self.names.index(condition.parent)
            awaited = self._axes[parent].unit(condition.value)
            exists = np.isclose(points[:, parent], awaited, rtol=0, atol=1e-9)  # never where it is NaN
            points[~exists, self.names.index(name)] = math.nan
        return points

    def features(self, points: Floats) -> Floats:
        """Points, (n, dimensions), as what a kernel compares, (n, columns)."""
        parts = []
        for place, axis in enumerate(self._axes):
            column = points[:, place]
            if axis.choices is None:
                parts.append(np.where(np.isnan(column), 0.5, column)[:, None])
            else:
                middles = (np.arange(axis.choices) + 0.5) / axis.choices
                parts.append(np.isclose(column[:, None], middles) * _HALF_DIAGONAL)
        return np.concatenate(parts, axis=1)

    def values(self, point: Floats) -> dict[str, Any]:
        """The configuration at a point, without what does not exist there."""
        return {
            name: axis.value(float(unit))
            for name, axis, unit in zip(self.names, self._axes, point, strict=True)
            if not math.isnan(unit)
        }

    def is_choice(self) -> NDArray[np.bool_]:
        """Which parameters have values without an order, (dimensions,)."""
        return np.array([axis.choices is not None for axis in self._axes])
