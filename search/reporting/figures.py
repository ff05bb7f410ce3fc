"""The figures of a report, in sections."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from search.reporting.parameter_axis import ParameterAxis
from search.reporting.points import points_of, thinned
from search.reporting.space_figures import contour, parallel_coordinates, parameter_slice
from search.reporting.style import COLOURS
from search.reporting.surface import surface
from search.reporting.trial_figures import history, learning_curves, timeline
from search.results.influence import by_influence
from search.results.summary import SweepSummary
from search.study.records import Outcome

FEWEST_FOR_SLICES = 3  # trials
MOST_POINTS = 500  # trials that slices and parallel coordinates show: a browser draws each of them by itself

FEW_FOR_IMPORTANCES = 50  # complete trials; with fewer the order changes from one sweep to the next

_WHAT_IMPORTANCES_ARE = (
    "How much a parameter's values among the best tenth of the trials differ from its values among all, as "
    "shares that add up to 100%. It is no share of the metric's variation, and says nothing of which values "
    "are good."
)
_FEW = "too few to rely on the order; take it as a hint."
_ENOUGH = "small differences are noise all the same."
_AXIS_WIDTH = 90  # pixels of parallel coordinates that an axis and its labels need


@dataclass(frozen=True)
class Section:
    """A part of the report: figures under a title, side by side if there are several.

    Example:
        >>> Section("Learning curves", {"curves": go.Figure()}).title
        'Learning curves'
    """

    title: str
    figures: dict[str, go.Figure]  # by the name that a file or a variable could have
    note: str = ""  # how to read them
    min_width: int = 0  # pixels; a narrower page scrolls it


def sweep_sections(summary: SweepSummary) -> list[Section]:
    """All figures of a sweep; none where no epoch is trained."""
    if not any(record.epochs for record in summary.records):
        return []
    config = summary.config
    points = points_of(summary)
    return [
        Section("Learning curves", {"learning_curves": learning_curves(config, summary.records)}),
        Section(
            "Optimisation history", {"optimisation_history": history(points, config.metric, config.goal)}
        ),
        *_importances(summary),
        *_by_parameter(summary),
        Section("Timeline of the workers", {"timeline": timeline(summary.records)}),
    ]


def parameter_axes(summary: SweepSummary) -> list[ParameterAxis]:
    """The parameters as axes, those first that matter most."""
    space = summary.config.space.parameters
    order = dict.fromkeys([*summary.importances, *by_influence(summary.config, summary.records)])
    return [ParameterAxis(name, space[name]) for name in order if name in space]


def _by_parameter(summary: SweepSummary) -> list[Section]:
    """Slices, parallel coordinates, and a contour where there are enough trials.

    Those that draw each trial for itself show no more than a browser bears; their titles tell it.
    """
    metric, goal = summary.config.metric, summary.config.goal
    points, axes = points_of(summary), parameter_axes(summary)
    if len(points) < FEWEST_FOR_SLICES:
        return []
    some, of = thinned(points, goal, MOST_POINTS)
    slices = {f"slice_{axis.name}": parameter_slice(axis, some, metric, goal) for axis in axes}
    sections = [
        Section(
            f"Slices{of}",
            slices,
            "The darker the better; a star: the best; hollow: not complete, at its last value.",
        ),
        Section(
            f"Parallel coordinates{of}",
            {"parallel_coordinates": parallel_coordinates(axes, some, metric, goal)},
            "Orange: the best; the darker the better; grey: not complete, at its last value. Drag along an "
            "axis to keep only the trials that cross it there; click it to see all again.",
            _AXIS_WIDTH * (1 + len(axes)),
        ),
    ]
    over = surface(axes, points)
    if over is not None:
        title = f"Contour of the two most important numbers: {over.axes[0].name} and {over.axes[1].name}"
        note = "Linear between the complete trials around a place; white where there are none around it."
        sections.append(Section(title, {"contour": contour(over, some, metric, goal)}, note))
    return sections


def _importances(summary: SweepSummary) -> list[Section]:
    importances = summary.importances
    if not importances:
        return []
    names = list(importances)[::-1]
    bars = go.Bar(
        x=[importances[name] for name in names],
        y=names,
        orientation="h",
        marker_color=COLOURS[Outcome.COMPLETE],
    )
    figure = go.Figure(bars).update_layout(
        height=150 + 25 * len(names), xaxis_title="PED-ANOVA importance", xaxis_tickformat=".0%"
    )
    return [Section("Parameter importances (PED-ANOVA)", {"importances": figure}, importance_note(summary))]


def importance_note(summary: SweepSummary) -> str:
    """What the importances are, of how many trials, and how far they may be trusted."""
    n = len(summary.leaderboard)
    trust = _FEW if n < FEW_FOR_IMPORTANCES else _ENOUGH
    return f"{_WHAT_IMPORTANCES_ARE} Of {n} complete trials: {trust}"
