"""The metric over the search space: slices, parallel coordinates, a contour, of every trial with a value.

Those that did not complete are hollow and faint, at the last value that they reported; the best is marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from search.config.goals import Goal
from search.reporting.parameter_axis import ParameterAxis
from search.reporting.points import Point, best_of
from search.reporting.style import BEST, FAINT, NOWHERE, SCALE, UNFINISHED
from search.reporting.surface import Surface

# Parallel coordinates have no marks: the two ends of their scale are what did not complete, and the best.
_FROM, _TO = 0.1, 0.9
_PALE = "#c8c8c8"
_HOLLOW = {"symbol": "circle-open", "color": UNFINISHED, "opacity": FAINT, "size": 7}
_DOT = {"color": "black", "size": 6, "line": {"color": "white", "width": 1}}
_STAR = {"symbol": "star", "color": BEST, "size": 13, "line": {"color": "white", "width": 1}}


def colours(goal: Goal) -> list[list[Any]]:
    """The metric's scale for plotly, the best value darkest."""
    scale = SCALE if goal.maximises else SCALE[::-1]
    return [[place / (len(scale) - 1), colour] for place, colour in enumerate(scale)]


def parameter_slice(axis: ParameterAxis, points: Sequence[Point], metric: str, goal: Goal) -> go.Figure:
    """One parameter against the metric, small."""
    figure = go.Figure()
    drawn = [point for point in points if axis.position(point.record.params.get(axis.name)) is not None]
    places = [axis.position(each.record.params[axis.name]) for each in drawn]
    add_marks(figure, drawn, goal, places, [each.told(metric, axis.name) for each in drawn])
    return (
        figure.update_layout(height=220, showlegend=False)
        .update_xaxes(**_axis(axis), tickangle=0)
        .update_yaxes(nticks=5)
    )


def add_marks(
    figure: go.Figure, points: Sequence[Point], goal: Goal, x: Sequence[float | None], told: Sequence[str]
) -> None:
    """Draw trials as marks: complete ones in the metric's colour, others hollow and faint, the best a star.

    Args:
        figure: to draw on.
        points: the trials.
        goal: of the sweep.
        x: where each of them stands.
        told: what is said of each when it is pointed at.
    """
    best = best_of(points, goal)
    placed = list(zip(points, x, told, strict=True))
    complete = [each for each in placed if each[0].complete]
    shades = {"colorscale": colours(goal), "color": [point.value for point, _, _ in complete], "size": 7}
    for name, chosen, marker in (
        ("not complete", [each for each in placed if not each[0].complete], _HOLLOW),
        ("complete", complete, shades),
        ("best", [each for each in placed if each[0] is best], _STAR),
    ):
        figure.add_scatter(
            name=name,
            x=[place for _, place, _ in chosen],
            y=[point.value for point, _, _ in chosen],
            mode="markers",
            marker=marker,
            hovertext=[text for _, _, text in chosen],
            hoverinfo="text",
        )


def parallel_coordinates(
    axes: Sequence[ParameterAxis], points: Sequence[Point], metric: str, goal: Goal
) -> go.Figure:
    """A line a trial across all parameters; the best and the incomplete ones have colours of their own."""
    dimensions = [{"label": metric, "values": [point.value for point in points]}]
    dimensions += [_dimension(axis, points) for axis in axes]
    step = (_TO - _FROM) / (len(SCALE) - 1)
    middle = [[_FROM + place * step, colour] for place, colour in enumerate(SCALE)]
    scale = [[0.0, _PALE], [_FROM, _PALE], *middle, [_TO, BEST], [1.0, BEST]]
    line = {"color": _shades(points, goal), "colorscale": scale, "cmin": 0, "cmax": 1}
    unseen = {"size": 1, "color": "rgba(0, 0, 0, 0)"}  # the ends of ranges, which the labels would stand upon
    return go.Figure(
        go.Parcoords(line=line, dimensions=dimensions, labelangle=-20, labelside="bottom", rangefont=unseen)
    )


def _shades(points: Sequence[Point], goal: Goal) -> list[float]:
    """Places on the scale of parallel coordinates."""
    best = best_of(points, goal)
    keys = [-goal.sort_key(point.value) for point in points if point.complete]
    worst, length = min(keys, default=0.0), (max(keys, default=0.0) - min(keys, default=0.0)) or 1.0
    inside = _TO - _FROM
    return [
        1.0
        if point is best
        else _FROM + 0.01 + (inside - 0.02) * (-goal.sort_key(point.value) - worst) / length
        if point.complete
        else 0.0
        for point in points
    ]


def _dimension(axis: ParameterAxis, points: Sequence[Point]) -> dict[str, Any]:
    places = [axis.position(point.record.params.get(axis.name)) for point in points]
    (low, high), ticks = axis.bounds, axis.ticks
    length = (high - low) or 1.0
    if None in places:
        low -= 0.15 * length
        ticks = {low: NOWHERE, **ticks}
    if low == high:
        low, high = low - 0.5, high + 0.5
    return {
        "label": axis.name,
        "values": [low if place is None else place for place in places],
        "range": [low, high],
        "tickvals": list(ticks),
        "ticktext": list(ticks.values()),
    }


def contour(surface: Surface, points: Sequence[Point], metric: str, goal: Goal) -> go.Figure:
    """The metric over two parameters, between the trials that completed, and all trials upon it."""
    first, second = surface.axes
    figure = go.Figure(
        go.Contour(
            x=surface.x,
            y=surface.y,
            z=surface.z,
            colorscale=colours(goal),
            colorbar={"title": metric},
            line={"width": 0.5, "color": "white"},
            opacity=0.75,
            hoverinfo="skip",
            showlegend=False,
        )
    )
    places = [(point, surface.place(point)) for point in points]
    drawn = {point.record.number: place for point, place in places if None not in place}
    there = [point for point in points if point.record.number in drawn]
    best = best_of(there, goal)
    for name, chosen, marker in (
        ("not complete", [point for point in there if not point.complete], _HOLLOW | {"color": "black"}),
        ("complete", [point for point in there if point.complete], _DOT),
        ("best", [point for point in there if point is best], _STAR),
    ):
        x, y = ([drawn[point.record.number][side] for point in chosen] for side in (0, 1))
        told = [point.told(metric, first.name, second.name) for point in chosen]
        figure.add_scatter(
            name=name, x=x, y=y, mode="markers", marker=marker, hovertext=told, hoverinfo="text"
        )
    return figure.update_xaxes(**_axis(first)).update_yaxes(**_axis(second))


def _axis(axis: ParameterAxis) -> dict[str, Any]:
    return {
        "title": axis.name,
        "range": axis.span,
        "tickvals": list(axis.ticks),
        "ticktext": list(axis.ticks.values()),
        "zeroline": False,
    }
