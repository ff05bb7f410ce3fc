"""The figures of a report, in sections: the trials' own, and those that Optuna draws of a study."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from search.reporting.trial_figures import learning_curves, timeline
from search.results.summary import SweepSummary
from search.study.snapshot import study_in_memory

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
