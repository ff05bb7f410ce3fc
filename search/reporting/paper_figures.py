"""The report's figures for papers: SVG and PNG, by matplotlib, which needs no browser to draw."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from optuna.exceptions import ExperimentalWarning

from search.reporting.figures import FEWEST_FOR_SURFACE, most_important_two
from search.reporting.trial_figures import COLOURS
from search.reporting.worker_bars import are_legible, joined_by_trial, worker_bars
from search.results.summary import SweepSummary, summarise
from search.study.opening import opened_study
from search.study.records import Outcome, TrialRecord

FORMATS = ("svg", "png")
_MARKS = {Outcome.PRUNED: "x", Outcome.FROZEN: "d"}  # at a curve's end
_INCHES_AN_AXIS = 1.1  # of parallel coordinates
_DOTS_PER_INCH = 300  # what printers of journals ask for
_STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "sweep"}
_NO_DATE = {"svg": {"Date": None}, "png": {}}  # the same study gives the same file


def write_figures(name: str, sweeps_dir: Path, folder: Path) -> list[Path]:
    """Write a sweep's figures, each as SVG and PNG; it may be running.

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
    with opened_study(summary.config) as study, mpl.rc_context(_STYLE):
        for title, figure in _figures(summary, study):
            for kind in FORMATS:
                files.append(folder / f"{title}.{kind}")
                figure.savefig(files[-1], dpi=_DOTS_PER_INCH, bbox_inches="tight", metadata=_NO_DATE[kind])
    return files


def _figures(summary: SweepSummary, study: optuna.Study) -> Iterator[tuple[str, Figure]]:
    if any(record.epochs for record in summary.records):
        yield "learning_curves", _learning_curves(summary)
        yield "timeline", _timeline(summary.records)
    if summary.importances:
        yield "importances", _importances(summary.importances)
    yield from _optuna_figures(summary, study)


def _learning_curves(summary: SweepSummary) -> Figure:
    figure = Figure((5, 3.2), layout="constrained")
    axes = figure.add_subplot()
    for record in summary.records:
        values = [epoch.metrics[summary.config.metric] for epoch in record.epochs]
        steps = [epoch.epoch for epoch in record.epochs]
        axes.plot(steps, values, color=COLOURS[record.outcome], linewidth=0.8, alpha=0.7)
        if mark := _MARKS.get(record.outcome):
            axes.plot(steps[-1:], values[-1:], mark, color=COLOURS[record.outcome], markersize=4)
    outcomes = [
        outcome
        for outcome in COLOURS
        if any(each.outcome is outcome and each.epochs for each in summary.records)
    ]
    handles = [Line2D([], [], color=COLOURS[outcome], label=outcome) for outcome in outcomes]
    axes.legend(handles=handles, frameon=False)
    axes.set(xlabel="epoch", ylabel=summary.config.metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _timeline(records: Sequence[TrialRecord]) -> Figure:
    bars = worker_bars(records)
    legible = are_legible(bars)
    if not legible:
        bars = joined_by_trial(bars)
    rows = 1 + max(bar.row for bar in bars)
    figure = Figure((6, 0.9 + 0.3 * rows), layout="constrained")
    axes = figure.add_subplot()
    edge = "white" if legible else "none"
    for bar in bars:
        colour = COLOURS[bar.record.outcome]
        axes.barh(bar.row, bar.seconds, left=bar.start_s, color=colour, edgecolor=edge)
    outcomes = [outcome for outcome in COLOURS if any(bar.record.outcome is outcome for bar in bars)]
    handles = [Patch(color=COLOURS[outcome], label=outcome) for outcome in outcomes]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=len(outcomes))
    axes.set_yticks(range(rows), [f"worker {row + 1}" for row in range(rows)])
    axes.set(xlabel="seconds since the first epoch began")
    axes.invert_yaxis()
    return figure


def _importances(importances: dict[str, float]) -> Figure:
    figure = Figure((5, 0.8 + 0.3 * len(importances)), layout="constrained")
    axes = figure.add_subplot()
    names = list(importances)[::-1]
    bars = axes.barh(names, [100 * importances[name] for name in names], color="steelblue")
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set(xlabel="share of the variation, percent (PED-ANOVA)")
    return figure


def _optuna_figures(summary: SweepSummary, study: optuna.Study) -> Iterator[tuple[str, Figure]]:
    from matplotlib import pyplot
    from optuna.visualization import matplotlib as drawn

    complete, metric = len(summary.leaderboard), summary.config.metric
    two = most_important_two(study, summary.importances)
    wanted: dict[str, Callable[[], Any]] = {}
    if complete:
        wanted["optimisation_history"] = lambda: drawn.plot_optimization_history(study, target_name=metric)
    if complete >= FEWEST_FOR_SURFACE:
        wanted["slices"] = lambda: drawn.plot_slice(study, target_name=metric)
        wanted["parallel_coordinates"] = lambda: drawn.plot_parallel_coordinate(study, target_name=metric)
    if complete >= FEWEST_FOR_SURFACE and two:
        wanted["contour"] = lambda: drawn.plot_contour(study, params=two, target_name=metric)
    for title, draw in wanted.items():
        # Optuna draws with pyplot: its style and its open figure must not outlive the call.
        with warnings.catch_warnings(), mpl.rc_context():
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.simplefilter("ignore", UserWarning)  # few trials of a conditional parameter show anyway
            figure = np.ravel(draw())[0].figure
            if title == "parallel_coordinates":  # at its own size the axes' labels lie upon each other
                width, height = figure.get_size_inches()
                axes = 1 + len(summary.config.space.parameters)
                figure.set_size_inches(max(width, _INCHES_AN_AXIS * axes), height)
            yield title, figure
            pyplot.close(figure)
