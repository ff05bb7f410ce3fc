"""What trials did: learning curves, what each came to, and who trained what when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from search.config.goals import Goal
from search.config.sweep_config import SweepConfig
from search.reporting.points import Point, steps_of
from search.reporting.space_figures import add_marks
from search.reporting.style import BEST, COLOURS
from search.reporting.worker_bars import WorkerBar, are_legible, gaps, joined_by_trial, worker_bars
from search.results.digits import human_seconds
from search.study.records import Outcome, TrialRecord, ranked

_LIGHT = (Outcome.PRUNED, Outcome.FROZEN)  # colours upon which text is black
_SYMBOLS = {Outcome.PRUNED: "x", Outcome.FROZEN: "diamond"}  # at a curve's end


def learning_curves(config: SweepConfig, records: Sequence[TrialRecord]) -> go.Figure:
    """The sweep's metric by epoch, a line a trial, coloured by its state; a cross where it was pruned.

    A diamond stands where one is frozen, a star at the end of the best.
    """
    figure = go.Figure()
    for outcome, colour in COLOURS.items():
        drawn = [record for record in records if record.outcome is outcome and record.epochs]
        if drawn:
            traces = _lines(drawn, config.metric, colour), _ends(drawn, config.metric, colour)
            for trace in traces:
                figure.add_trace(trace.update(name=outcome, legendgroup=outcome, opacity=0.7))
    for record in ranked(records, config.goal)[:1]:
        best = _lines([record], config.metric, BEST)
        sizes = [0] * (len(record.epochs) - 1) + [13]
        best.update(name="best", mode="lines+markers", line_width=2.5)
        figure.add_trace(best.update(marker={"symbol": "star", "size": sizes, "opacity": 1}))
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


def history(points: Sequence[Point], metric: str, goal: Goal) -> go.Figure:
    """What each trial came to, by number, and as steps the best of those that had completed up to there."""
    figure = go.Figure()
    told = [point.told(metric, *point.record.params) for point in points]
    add_marks(figure, points, goal, [point.record.number for point in points], told)
    if steps := steps_of(points, goal):
        figure.add_scatter(
            name="best so far",
            x=[number for number, _ in steps],
            y=[value for _, value in steps],
            mode="lines",
            line={"shape": "hv", "color": BEST, "width": 1.5},
            hoverinfo="skip",
        )
    return figure.update_layout(xaxis={"title": "trial", "tickformat": "d"}, yaxis_title=metric)


def timeline(records: Sequence[TrialRecord]) -> go.Figure:
    """Who trained what when, in minutes: a row a worker, a bar an epoch; what is empty stood idle.

    Where epochs are too many to be told apart a trial's are one bar. Upon the bars of a trial is its number.
    """
    figure = go.Figure()
    all_bars = worker_bars(records)
    if not all_bars:
        return figure
    breaks = gaps(all_bars)
    legible = are_legible(all_bars)
    whole = joined_by_trial(all_bars)
    rows = list(dict.fromkeys(bar.worker for bar in sorted(all_bars, key=lambda bar: bar.row)))
    for outcome, colour in COLOURS.items():
        bars = [bar for bar in (all_bars if legible else whole) if bar.record.outcome is outcome]
        figure.add_bar(
            **_placed(bars),
            name=outcome,
            marker={"color": colour, "line": {"color": "white", "width": int(legible)}},
            hovertext=[f"{bar.record.key}, {bar.epochs}: {bar.seconds:.1f} s" for bar in bars],
            hoverinfo="text",
            showlegend=bool(bars),
        )
    figure.add_bar(
        **_placed(whole),
        name="numbers",
        marker_color="rgba(0, 0, 0, 0)",
        text=[str(bar.record.number) for bar in whole],
        textfont_color=["black" if bar.record.outcome in _LIGHT else "white" for bar in whole],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        hoverinfo="skip",
        showlegend=False,
    )
    for begin, end in breaks:
        figure.add_vrect(
            x0=begin / 60,
            x1=end / 60,
            fillcolor="#f3f4f6",
            line_width=0,
            layer="below",
            annotation={"text": f"interrupted, {human_seconds(end - begin)}", "font_size": 10},
            annotation_position="top",
        )
    return figure.update_layout(
        barmode="overlay",
        height=min(900, 150 + 55 * len(rows)),
        uniformtext={"minsize": 9, "mode": "hide"},  # a number that does not fit its bar
        xaxis_title="minutes since the first epoch began",
        yaxis={"autorange": "reversed", "categoryorder": "array", "categoryarray": rows},
    )


def _placed(bars: Sequence[WorkerBar]) -> dict[str, Any]:
    return {
        "orientation": "h",
        "y": [bar.worker for bar in bars],
        "x": [bar.seconds / 60 for bar in bars],
        "base": [bar.start_s / 60 for bar in bars],
    }
