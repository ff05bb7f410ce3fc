"""The metric over two parameters: linear between neighbouring trials, and nothing beyond the outermost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from search.reporting.parameter_axis import ParameterAxis
from search.reporting.points import Point

FEWEST = 20  # complete trials; with fewer a surface shows what nobody has measured
_STEPS = 60  # of the grid, along each parameter


@dataclass(frozen=True)
class Surface:
    """A grid over two parameters with the metric at each place; NaN where no trials lie around it.

    Example:
        >>> from optuna.distributions import FloatDistribution
        >>> from optuna.trial import TrialState
        >>> from search.study.records import TrialRecord
        >>> axes = tuple(ParameterAxis(name, FloatDistribution(0, 1)) for name in ("lr", "dropout"))
        >>> some = np.linspace(0, 1, 5)
        >>> flat = Surface(axes, some, some, np.zeros((5, 5)))
        >>> flat.place(Point(TrialRecord(7, TrialState.COMPLETE, {"lr": 0.5, "dropout": 0.2}), 0.8))
        (0.5, 0.2)
    """

    axes: tuple[ParameterAxis, ParameterAxis]
    x: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    z: np.ndarray[Any, Any]

    def place(self, point: Point) -> tuple[float | None, float | None]:
        """Where a trial lies on it."""
        first, second = (axis.position(point.record.params.get(axis.name)) for axis in self.axes)
        return first, second


def surface(axes: Iterable[ParameterAxis], points: Sequence[Point]) -> Surface | None:
    """The surface over the first two numbers that enough trials differ in; None if it cannot be told.

    Choices are no axes: there is nothing between two of them.
    """
    complete = [point for point in points if point.complete]
    places = {
        axis: [axis.position(point.record.params.get(axis.name)) for point in complete]
        for axis in axes
        if axis.is_number
    }
    varied = [axis for axis, each in places.items() if _differs(each)][:2]
    if len(varied) < 2:
        return None
    x_axis, y_axis = varied
    known = [
        (x, y, point.value)
        for point, x, y in zip(complete, places[x_axis], places[y_axis], strict=True)
        if x is not None and y is not None
    ]
    if len(known) < FEWEST:
        return None
    measured = np.array(known)
    x, y = (np.linspace(*axis.bounds, _STEPS) for axis in varied)
    try:
        z = griddata(measured[:, :2], measured[:, 2], tuple(np.meshgrid(x, y)), rescale=True)
    except QhullError:  # all on one line
        return None
    return Surface((x_axis, y_axis), x, y, z)


def _differs(places: Sequence[float | None]) -> bool:
    known = [place for place in places if place is not None]
    return len(known) >= FEWEST and len(set(known)) > 1
