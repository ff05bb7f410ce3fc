"""The report's figures for papers: PDF, SVG and PNG, by matplotlib, which needs no browser to draw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from search.reporting import paper_drawings as draw
from search.reporting.figures import FEWEST_FOR_SLICES, parameter_axes
from search.reporting.points import points_of
from search.reporting.surface import surface
from search.results.summary import SweepSummary, summarise

FORMATS = ("pdf", "svg", "png")
_DOTS_PER_INCH = 300  # what printers of journals ask for
_STYLE: Any = {
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": _DOTS_PER_INCH,
    "font.size": 8,
    "legend.frameon": False,
    "lines.linewidth": 0.8,
    "pdf.fonttype": 42,  # text stays text: journals refuse the default, Type 3
    "svg.fonttype": "none",
    "svg.hashsalt": "sweep",
    "xtick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.width": 0.6,
}
# Without dates the same study gives the same file.
_NO_DATE: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


def write_figures(name: str, sweeps_dir: Path, folder: Path) -> list[Path]:
    """Write a sweep's figures, each as PDF, SVG and PNG, as wide as one or two columns; it may be running.

    Args:
        name: of the sweep.
        sweeps_dir: where it lies.
        folder: for the files, made if it is not there; a figure that was there before is replaced.

    Returns:
        The files written. Figures for which there are too few trials are left out.

    Raises:
        UserError: there is no such sweep, or its storage does not answer.
    """
    summary = summarise(name, sweeps_dir)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with mpl.rc_context(_STYLE):
        for title, figure in _figures(summary):
            for kind in FORMATS:
                files.append(folder / f"{title}.{kind}")
                figure.savefig(files[-1], metadata=_NO_DATE[kind])
    return files


def importances_figure(summary: SweepSummary) -> Figure | None:
    """The importances as a figure by itself; None with too few trials."""
    if not summary.importances:
        return None
    with mpl.rc_context(_STYLE):
        return draw.importances(summary.importances, len(summary.leaderboard))


def _figures(summary: SweepSummary) -> Iterator[tuple[str, Figure]]:
    metric, goal = summary.config.metric, summary.config.goal
    points, axes = points_of(summary), parameter_axes(summary)
    if any(record.epochs for record in summary.records):
        yield "learning_curves", draw.learning_curves(summary)
        yield "timeline", draw.timeline(summary.records)
    if summary.importances:
        yield "importances", draw.importances(summary.importances, len(summary.leaderboard))
    if points:
        yield "optimisation_history", draw.history(points, metric, goal)
    if len(points) >= FEWEST_FOR_SLICES:
        yield "slices", draw.slices(axes, points, metric, goal)
        yield "parallel_coordinates", draw.parallel_coordinates(axes, points, metric, goal)
    over = surface(axes, points)
    if over is not None:
        yield "contour", draw.contour(over, points, metric, goal)
