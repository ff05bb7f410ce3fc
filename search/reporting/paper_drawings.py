"""Figures for papers, drawn by matplotlib: what the report shows, in the same colours, at sizes of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from search.config.goals import Goal
from search.reporting.parameter_axis import ParameterAxis
from search.reporting.points import Point, best_of, steps_of
from search.reporting.style import BEST, COLOURS, FAINT, NOWHERE, SCALE, UNFINISHED
from search.reporting.surface import Surface
from search.reporting.worker_bars import are_legible, joined_by_trial, worker_bars
from search.results.summary import SweepSummary
from search.study.records import Outcome, TrialRecord

COLUMN_MM, PAGE_MM = 85, 178  # wide: one column of a journal, and both

_BELOW = -0.08  # where parallel coordinates put what a trial lacks; axes go from 0 to 1
_MARKS = {Outcome.PRUNED: "x", Outcome.FROZEN: "d"}  # at a curve's end
_HOLLOW: Any = {"marker": "o", "s": 12, "facecolors": "none", "edgecolors": UNFINISHED, "alpha": FAINT}
_STAR: Any = {"marker": "*", "s": 80, "color": BEST, "edgecolors": "white", "linewidths": 0.4, "zorder": 5}


def _new(width_mm: float, height_mm: float) -> Figure:
    return Figure((width_mm / 25.4, height_mm / 25.4), layout="constrained")


def _colours(goal: Goal) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("metric", SCALE if goal.maximises else SCALE[::-1])


def learning_curves(summary: SweepSummary) -> Figure:
    """The metric by epoch, a line a trial, the best thick."""
    metric = summary.config.metric
    figure = _new(COLUMN_MM, 60)
    axes = figure.add_subplot()
    best = next(iter(summary.leaderboard), None)
    for record in summary.records:
        steps, values = (
            [each.epoch for each in record.epochs],
            [each.metrics[metric] for each in record.epochs],
        )
        axes.plot(steps, values, color=COLOURS[record.outcome], linewidth=0.6, alpha=0.6)
        if mark := _MARKS.get(record.outcome):
            axes.plot(steps[-1:], values[-1:], mark, color=COLOURS[record.outcome], markersize=3)
        if record is best:
            axes.plot(steps, values, color=BEST, linewidth=1.5, zorder=4)
            axes.scatter(steps[-1:], values[-1:], **_STAR)
    drawn = {record.outcome for record in summary.records if record.epochs}
    handles = [
        Line2D([], [], color=COLOURS[outcome], label=outcome) for outcome in COLOURS if outcome in drawn
    ]
    if best is not None:
        handles.append(Line2D([], [], color=BEST, marker="*", label="best"))
    axes.legend(handles=handles)
    axes.set(xlabel="epoch", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def timeline(records: Sequence[TrialRecord]) -> Figure:
    """Who trained what when: a row a worker, a bar an epoch or, where these are too many, a trial."""
    bars = worker_bars(records)
    legible = are_legible(bars)
    if not legible:
        bars = joined_by_trial(bars)
    rows = 1 + max(bar.row for bar in bars)
    figure = _new(PAGE_MM, 22 + 7 * rows)
    axes = figure.add_subplot()
    edge = "white" if legible else "none"
    for bar in bars:
        colour = COLOURS[bar.record.outcome]
        axes.barh(
            bar.row, bar.seconds / 60, left=bar.start_s / 60, color=colour, edgecolor=edge, linewidth=0.5
        )
    drawn = {bar.record.outcome for bar in bars}
    handles = [Patch(color=COLOURS[outcome], label=outcome) for outcome in COLOURS if outcome in drawn]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    axes.set_yticks(range(rows), [f"worker {row + 1}" for row in range(rows)])
    axes.set(xlabel="minutes since the first epoch began")
    axes.invert_yaxis()
    return figure


def importances(shares: dict[str, float], n: int) -> Figure:
    """A bar for each parameter, the most important on top, and of how many complete trials."""
    figure = _new(COLUMN_MM, 20 + 6 * len(shares))
    axes = figure.add_subplot()
    names = list(shares)[::-1]
    bars = axes.barh(names, [100 * shares[name] for name in names], color=COLOURS[Outcome.COMPLETE])
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set(xlabel=f"PED-ANOVA importance, percent (n = {n})")
    return figure


def history(points: Sequence[Point], metric: str, goal: Goal) -> Figure:
    """What each trial came to, by number, and as steps the best up to there."""
    figure = _new(COLUMN_MM, 60)
    axes = figure.add_subplot()
    _marks(axes, points, [point.record.number for point in points], goal)
    if steps := steps_of(points, goal):
        axes.step(*zip(*steps, strict=True), where="post", color=BEST)
    axes.set(xlabel="trial", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def slices(axes: Sequence[ParameterAxis], points: Sequence[Point], metric: str, goal: Goal) -> Figure:
    """Each parameter against the metric, four in a row."""
    across = min(4, len(axes))
    down = -(-len(axes) // across)
    figure = _new(PAGE_MM, 42 * down)
    for place, axis in enumerate(axes):
        drawn = figure.add_subplot(down, across, place + 1)
        there = [(point, axis.position(point.record.params.get(axis.name))) for point in points]
        placed = [(point, position) for point, position in there if position is not None]
        _marks(drawn, [point for point, _ in placed], [position for _, position in placed], goal)
        drawn.set(xlabel=axis.name, xlim=axis.span, ylabel="" if place % across else metric)
        drawn.set_xticks(list(axis.ticks), list(axis.ticks.values()))
    return figure


def parallel_coordinates(
    axes: Sequence[ParameterAxis], points: Sequence[Point], metric: str, goal: Goal
) -> Figure:
    """A line a trial across the metric and all parameters; at `none` where it lacks one."""
    figure = _new(PAGE_MM, 70)
    drawn = figure.add_subplot()
    values = [point.value for point in points]
    shade, best = Normalize(*_range(points)), best_of(points, goal)
    low, length = min(values), (max(values) - min(values)) or 1.0
    for point in points:
        heights = [(point.value - low) / length, *(_height(axis, point) for axis in axes)]
        colour: Any = UNFINISHED
        width, order = 0.4, 1
        if point.complete:
            colour, width, order = _colours(goal)(shade(point.value)), 0.7, 2
        if point is best:
            colour, width, order = BEST, 1.6, 3
        drawn.plot(heights, color=colour, linewidth=width, zorder=order, alpha=1 if point.complete else FAINT)
    for place, axis in enumerate(axes, 1):
        bottom, top = axis.span
        drawn.axvline(place, color="black", linewidth=0.5)
        for position, text in axis.ticks.items():
            drawn.annotate(
                text, (place + 0.02, (position - bottom) / (top - bottom)), fontsize=6, va="center"
            )
        if any(point.record.params.get(axis.name) is None for point in points):
            drawn.annotate(NOWHERE, (place + 0.02, _BELOW), fontsize=6, va="center")
    drawn.set_xticks(range(len(axes) + 1), [metric, *(axis.name for axis in axes)], rotation=20)
    drawn.set_yticks([0, 1], [f"{low:.3g}", f"{low + length:.3g}"])
    return figure


def contour(surface: Surface, points: Sequence[Point], metric: str, goal: Goal) -> Figure:
    """The metric over two parameters, between the trials that completed."""
    figure = _new(COLUMN_MM, 70)
    axes = figure.add_subplot()
    filled = axes.contourf(surface.x, surface.y, surface.z, levels=10, cmap=_colours(goal), alpha=0.8)
    figure.colorbar(filled, label=metric)
    placed = [(point, *surface.place(point)) for point in points]
    there = [(point, x, y) for point, x, y in placed if x is not None and y is not None]
    best = best_of([point for point, _, _ in there], goal)
    for point, x, y in there:
        look = _STAR if point is best else {"s": 8, "color": "black"} if point.complete else _HOLLOW
        axes.scatter([x], [y], **look)
    across, up = surface.axes
    axes.set(xlabel=across.name, ylabel=up.name, xlim=across.span, ylim=up.span)
    axes.set_xticks(list(across.ticks), list(across.ticks.values()))
    axes.set_yticks(list(up.ticks), list(up.ticks.values()))
    return figure


def _marks(axes: Axes, points: Sequence[Point], x: Sequence[float], goal: Goal) -> None:
    best = best_of(points, goal)
    placed = list(zip(points, x, strict=True))
    complete = [(point, place) for point, place in placed if point.complete]
    shades: Any = {"s": 12, "c": [point.value for point, _ in complete], "cmap": _colours(goal)}
    for chosen, look in (
        ([each for each in placed if not each[0].complete], _HOLLOW),
        (complete, shades),
        ([each for each in placed if each[0] is best], _STAR),
    ):
        axes.scatter([place for _, place in chosen], [point.value for point, _ in chosen], **look)


def _range(points: Sequence[Point]) -> tuple[float, float]:
    complete = [point.value for point in points if point.complete] or [0.0]
    return min(complete), max(complete)


def _height(axis: ParameterAxis, point: Point) -> float:
    position = axis.position(point.record.params.get(axis.name))
    bottom, top = axis.span
    return _BELOW if position is None else (position - bottom) / (top - bottom)
