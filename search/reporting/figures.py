"""The figures of a report: Optuna's own where they serve, and two from this project's records."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from search.config import SweepConfig
from search.records import Epoch, TrialRecord

COLOURS = {
    TrialState.COMPLETE: "#2563eb",
    TrialState.PRUNED: "#f59e0b",
    TrialState.FAIL: "#dc2626",
    TrialState.RUNNING: "#6b7280",
}
FEWEST_FOR_SURFACE = 3  # complete trials before a contour is anything


def learning_curves(config: SweepConfig, records: Sequence[TrialRecord]) -> go.Figure:
    """The sweep's metric by epoch, a line a trial, coloured by how it ended; a cross where it was pruned."""
    figure = go.Figure()
    told: set[TrialState] = set()
    for record in records:
        if not record.epochs:
            continue
        values = [epoch.metrics[config.metric] for epoch in record.epochs]
        marks = ["circle"] * (len(values) - 1) + ["x" if record.state is TrialState.PRUNED else "circle"]
        figure.add_scatter(
            x=[epoch.epoch for epoch in record.epochs],
            y=values,
            mode="lines+markers",
            marker={"symbol": marks, "size": 5},
            line={"color": COLOURS[record.state], "width": 1},
            name=record.state.name.lower(),
            legendgroup=record.state.name,
            showlegend=record.state not in told,
            hovertemplate=f"{record.key}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            opacity=0.7,
        )
        told.add(record.state)
    return figure.update_layout(xaxis_title="epoch", yaxis_title=config.metric)


@dataclass(frozen=True)
class WorkerBar:
    """An epoch on the timeline of the workers."""

    record: TrialRecord
    epoch: Epoch
    row: int  # of its worker, from 0, in the order in which workers came
    start_s: float  # since the first epoch began
    seconds: float

    @property
    def state(self) -> TrialState:
        """Of its trial."""
        return self.record.state


def worker_bars(records: Sequence[TrialRecord]) -> list[WorkerBar]:
    """Who trained what when, an epoch at a time."""
    done = [
        (record, epoch, epoch.metrics.get("epoch_s", 0.0)) for record in records for epoch in record.epochs
    ]
    first_ms = min((epoch.timestamp_ms - 1000 * seconds for _, epoch, seconds in done), default=0.0)
    rows = {worker: row for row, worker in enumerate(_workers(records))}
    return [
        WorkerBar(
            record, epoch, rows[epoch.worker], (epoch.timestamp_ms - first_ms) / 1000 - seconds, seconds
        )
        for record, epoch, seconds in done
    ]


def timeline(records: Sequence[TrialRecord]) -> go.Figure:
    """Who trained what when: a row a worker, a bar an epoch; what is empty stood idle."""
    figure = go.Figure()
    all_bars = worker_bars(records)
    if not all_bars:
        return figure
    for state, colour in COLOURS.items():
        bars = [bar for bar in all_bars if bar.state is state]
        figure.add_bar(
            orientation="h",
            name=state.name.lower(),
            y=[f"worker {bar.row + 1}" for bar in bars],
            x=[bar.seconds for bar in bars],
            base=[bar.start_s for bar in bars],
            marker={"color": colour, "line": {"color": "white", "width": 1}},
            text=[str(bar.record.number) if bar.epoch.epoch == 1 else "" for bar in bars],
            hovertext=[f"{bar.record.key}, epoch {bar.epoch.epoch}: {bar.seconds:.1f} s" for bar in bars],
            hoverinfo="text",
            showlegend=bool(bars),
        )
    rows = [f"worker {row + 1}" for row in range(1 + max(bar.row for bar in all_bars))]
    return figure.update_layout(
        barmode="overlay",
        xaxis_title="seconds since the first epoch began",
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": rows},
    )


def study_figures(
    study: optuna.Study, metric: str, importances: dict[str, float]
) -> list[tuple[str, go.Figure]]:
    """Optuna's figures of a study, by title, as far as its trials carry them."""
    from optuna import visualization

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter(
            "ignore", UserWarning
        )  # that a conditional parameter has few trials shows anyway
        figures = [
            ("Optimisation history", visualization.plot_optimization_history(study, target_name=metric))
        ]
        if importances:
            figures.append(("Parameter importances (PED-ANOVA)", _importances(importances)))
        if len(complete) >= FEWEST_FOR_SURFACE:
            figures.append(("Slices", visualization.plot_slice(study, target_name=metric)))
            parallel = visualization.plot_parallel_coordinate(study, target_name=metric)
            figures.append(("Parallel coordinates", parallel))
            two = list(importances)[:2]
            if len(two) == 2:
                title = f"Contour of the two most important: {two[0]} and {two[1]}"
                figures.append((title, visualization.plot_contour(study, params=two, target_name=metric)))
    return figures


def _importances(importances: dict[str, float]) -> go.Figure:
    names = list(importances)[::-1]
    figure = go.Figure(go.Bar(x=[importances[name] for name in names], y=names, orientation="h"))
    return figure.update_layout(xaxis_title="share of the variation", xaxis_tickformat=".0%")


def _workers(records: Sequence[TrialRecord]) -> list[str]:
    """Workers in the order of their first epoch's end."""
    epochs = sorted((epoch.timestamp_ms, epoch.worker) for record in records for epoch in record.epochs)
    return list(dict.fromkeys(worker for _, worker in epochs))
