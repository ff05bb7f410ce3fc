"""The figures of a report: Optuna's own where they serve, and two from this project's records."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.reporting.worker_bars import are_legible, joined_by_trial, worker_bars
from search.results.summary import SweepSummary
from search.study.records import Outcome, TrialRecord
from search.study.snapshot import study_in_memory

COLOURS = {
    Outcome.COMPLETE: "#2563eb",
    Outcome.PRUNED: "#f59e0b",
    Outcome.DIVERGED: "#9333ea",
    Outcome.FAILED: "#dc2626",
    Outcome.RUNNING: "#6b7280",
    Outcome.FROZEN: "#0891b2",
}
_SYMBOLS = {Outcome.PRUNED: "x", Outcome.FROZEN: "diamond"}  # at a curve's end
FEWEST_FOR_SURFACE = 3  # complete trials before a contour is anything
MOST_POINTS = 500  # trials that slices and parallel coordinates show: a browser draws each of them by itself
MOST_FOR_SURFACE = 100  # a contour's grid has a row and a column for each trial

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
    min_width: int = 0  # pixels; a narrower page scrolls it


def sweep_sections(summary: SweepSummary, study: optuna.Study) -> list[Section]:
    """All figures of a sweep; none where no epoch is trained."""
    if not any(record.epochs for record in summary.records):
        return []
    return [
        Section("Learning curves", {"learning_curves": learning_curves(summary.config, summary.records)}),
        *study_sections(study, summary.config.metric, summary.importances),
        Section("Timeline of the workers", {"timeline": timeline(summary.records)}),
    ]


def learning_curves(config: SweepConfig, records: Sequence[TrialRecord]) -> go.Figure:
    """The sweep's metric by epoch, a line a trial, coloured by its state; a cross where it was pruned.

    A diamond stands where one is frozen.
    """
    figure = go.Figure()
    for outcome, colour in COLOURS.items():
        drawn = [record for record in records if record.outcome is outcome and record.epochs]
        if drawn:
            traces = _lines(drawn, config.metric, colour), _ends(drawn, config.metric, colour)
            for trace in traces:
                figure.add_trace(trace.update(name=outcome, legendgroup=outcome, opacity=0.7))
    last = max((record.epochs[-1].epoch for record in records if record.epochs), default=1)
    return figure.update_layout(
        xaxis={"title": "epoch", "range": [0.8, last + 0.2], "dtick": -(-last // 10)},
        yaxis_title=config.metric,
    )


def _lines(drawn: Sequence[TrialRecord], metric: str, colour: str) -> go.Scatter:
    """The curves of trials as one trace with a gap after each: a trace for each takes a browser minutes."""
    epochs: list[int | None] = []
    values: list[float | None] = []
    keys: list[str | None] = []
    for record in drawn:
        epochs += [*(epoch.epoch for epoch in record.epochs), None]
        values += [*(epoch.metrics[metric] for epoch in record.epochs), None]
        keys += [*(record.key for _ in record.epochs), None]
    return go.Scatter(
        x=epochs,
        y=values,
        text=keys,
        mode="lines",
        line={"color": colour, "width": 1},
        hovertemplate="%{text}<br>epoch %{x}: %{y:.6~g}<extra></extra>",
    )


def _ends(drawn: Sequence[TrialRecord], metric: str, colour: str) -> go.Scatter:
    """A mark at the last epoch of each trial, all of one outcome."""
    return go.Scatter(
        x=[record.epochs[-1].epoch for record in drawn],
        y=[record.epochs[-1].metrics[metric] for record in drawn],
        mode="markers",
        marker={"color": colour, "size": 5, "symbol": _SYMBOLS.get(drawn[0].outcome, "circle")},
        hoverinfo="skip",  # the line tells it
        showlegend=False,
    )


def timeline(records: Sequence[TrialRecord]) -> go.Figure:
    """Who trained what when: a row a worker, a bar an epoch; what is empty stood idle.

    Where epochs are too many to be told apart a trial's are one bar.
    """
    figure = go.Figure()
    all_bars = worker_bars(records)
    if not all_bars:
        return figure
    legible = are_legible(all_bars)
    if not legible:
        all_bars = joined_by_trial(all_bars)
    rows = list(dict.fromkeys(bar.worker for bar in sorted(all_bars, key=lambda bar: bar.row)))
    for outcome, colour in COLOURS.items():
        bars = [bar for bar in all_bars if bar.record.outcome is outcome]
        figure.add_bar(
            orientation="h",
            name=outcome,
            y=[bar.worker for bar in bars],
            x=[bar.seconds for bar in bars],
            base=[bar.start_s for bar in bars],
            marker={"color": colour, "line": {"color": "white", "width": int(legible)}},
            text=[str(bar.record.number) if bar.first == 1 else "" for bar in bars] if legible else None,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            hovertext=[f"{bar.record.key}, {bar.epochs}: {bar.seconds:.1f} s" for bar in bars],
            hoverinfo="text",
            showlegend=bool(bars),
        )
    return figure.update_layout(
        barmode="overlay",
        height=min(900, 150 + 55 * len(rows)),
        uniformtext={"minsize": 9, "mode": "hide"},  # a number that does not fit its bar
        xaxis_title="seconds since the first epoch began",
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": rows},
    )


def study_sections(study: optuna.Study, metric: str, importances: dict[str, float]) -> list[Section]:
    """Optuna's figures of a study, as far as its trials carry them.

    Those that draw each trial for itself show no more than a browser bears; their titles tell it.
    """
    from optuna import visualization

    complete = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if not complete:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # That a conditional parameter has few trials shows anyway.
        warnings.simplefilter("ignore", UserWarning)
        history = visualization.plot_optimization_history(study, target_name=metric)
        sections = [Section("Optimisation history", {"optimisation_history": history})]
        if importances:
            bars = {"importances": _importances(importances)}
            sections.append(Section("Parameter importances (PED-ANOVA)", bars))
        if complete >= FEWEST_FOR_SURFACE:
            sections += [
                *_by_parameter(study, metric, importances),
                *_contour(study, metric, importances),
            ]
    return sections


def _by_parameter(study: optuna.Study, metric: str, importances: dict[str, float]) -> list[Section]:
    """Slices, and parallel coordinates: the trials along each parameter, the most important first."""
    from optuna import visualization

    some, of = thinned(study, MOST_POINTS)
    names = sorted(_names(some), key=lambda name: (-importances.get(name, 0.0), name))
    slices = {f"slice_{name}": _slice(some, name, metric) for name in names}
    parallel = visualization.plot_parallel_coordinate(some, target_name=metric)
    width = _AXIS_WIDTH * (1 + len(names))
    return [
        Section(f"Slices{of}", slices),
        Section(f"Parallel coordinates{of}", {"parallel_coordinates": parallel}, width),
    ]


def _contour(study: optuna.Study, metric: str, importances: dict[str, float]) -> list[Section]:
    """The metric over the two most important parameters; nothing where there are not two."""
    from optuna import visualization

    some, of = thinned(study, MOST_FOR_SURFACE)
    two = most_important_two(some, importances)
    if not two:
        return []
    contour = visualization.plot_contour(some, params=two, target_name=metric)
    title = f"Contour of the two most important: {two[0]} and {two[1]}{of}"
    return [Section(title, {"contour": contour})]


def most_important_two(study: optuna.Study, importances: Iterable[str]) -> list[str]:
    """The two most important parameters that differ among the complete trials; empty if there are not two."""
    values: dict[str, set[Any]] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    varied = [name for name in importances if len(values.get(name, ())) > 1]
    return varied[:2] if len(varied) > 1 else []


def _names(study: optuna.Study) -> set[str]:
    """The parameters that complete trials have."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return {name for trial in complete for name in trial.params}


def thinned(study: optuna.Study, most: int) -> tuple[optuna.Study, str]:
    """A study with at most so many of the complete trials, and words for a title; itself if it has no more.

    The best is among them, and the others are an even choice by rank. Their numbers are new ones.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(trials) <= most:
        return study, ""
    best_first = sorted(
        trials,
        key=lambda trial: trial.value or 0.0,
        reverse=study.direction is optuna.study.StudyDirection.MAXIMIZE,
    )
    some = [best_first[place * len(trials) // most] for place in range(most)]
    in_order = sorted(some, key=lambda trial: trial.number)
    smaller = study_in_memory(study.study_name, study.direction, in_order)
    return smaller, f" ({len(some):,} of {len(trials):,} complete trials)"


def _slice(study: optuna.Study, name: str, metric: str) -> go.Figure:
    """One parameter against the metric, small, later trials darker."""
    from optuna import visualization

    figure = visualization.plot_slice(study, params=[name], target_name=metric)
    figure.update_traces(marker_showscale=False)
    return (
        figure.update_layout(height=220, showlegend=False)
        .update_xaxes(nticks=4, tickangle=0)
        .update_yaxes(title=None, nticks=5)
    )


def _importances(importances: dict[str, float]) -> go.Figure:
    names = list(importances)[::-1]
    figure = go.Figure(go.Bar(x=[importances[name] for name in names], y=names, orientation="h"))
    return figure.update_layout(
        height=150 + 25 * len(names), xaxis_title="share of the variation", xaxis_tickformat=".0%"
    )
