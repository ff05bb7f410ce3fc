"""Makes the report of a sweep from its study."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import optuna
import plotly.graph_objects as go
from optuna.trial import TrialState
from plotly.offline import get_plotlyjs

from search.comparison import SweepSummary, opened_study, summarise
from search.config import SweepConfig, sweep_names
from search.confirm import Confirmation, compare
from search.progress import human_seconds
from search.pruners import pruner_name
from search.records import TrialRecord
from search.reporting.figures import learning_curves, study_figures, timeline
from search.results import counts, shown

_MOST_ROWS = 20  # of the leaderboard
_HEIGHT = 450  # pixels of a figure


@dataclass(frozen=True)
class _Shown:
    title: str
    html: str


def write_report(name: str, sweeps_dir: Path, file: Path) -> Path:
    """Write a sweep's report; it may be running.

    Args:
        name: of the sweep.
        sweeps_dir: where it lies.
        file: the HTML file to write; self-contained, some 5 MB, most of it plotly.

    Raises:
        UserError: there is no such sweep, or its storage does not answer.
    """
    summary = summarise(name, sweeps_dir)
    with opened_study(summary.config) as study:
        html = _render(summary, study)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(html, encoding="utf-8")
    return part.replace(file)


def sweep_figures(summary: SweepSummary, study: optuna.Study) -> list[tuple[str, go.Figure]]:
    """All figures of a sweep, by title."""
    return [
        ("Learning curves", learning_curves(summary.config, summary.records)),
        *study_figures(study, summary.config.metric, summary.importances),
        ("Timeline of the workers", timeline(summary.records)),
    ]


def newest_confirmation(config: SweepConfig) -> Confirmation | None:
    """What `retrain_best.py` found of the finalists, if all their seeds have been trained."""
    folder = config.folder / "confirm"
    names = sorted(sweep_names(folder), key=lambda name: (folder / name).stat().st_mtime)
    for name in reversed(names):
        confirming = summarise(name, folder)
        records = {record.number: record for record in summarise(config.name, config.sweeps_dir).records}
        finalists = [records[int(number)] for number in confirming.config.tags["sweep.of_trials"].split(",")]
        arms: dict[int, list[float]] = {arm: [] for arm in range(len(finalists))}
        for record in confirming.records:
            if record.value is not None:
                arms[record.params["arm"]].append(record.value)
        if all(arms.values()):
            return compare(finalists, arms, config.direction)
    return None


def _render(summary: SweepSummary, study: optuna.Study) -> str:
    config, top = summary.config, summary.leaderboard
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(files("search.reporting").joinpath("report.html").read_text("utf-8"))
    found = newest_confirmation(config)
    return template.render(
        config=config,
        headline=_headline(summary),
        facts=_facts(summary),
        headings=["trial", config.metric, "epochs", "train time", *config.space.parameters],
        leaderboard=[_row(config, record) for record in top[:_MOST_ROWS]],
        more=max(0, len(top) - _MOST_ROWS),
        confirmation=[] if found is None else _confirmed(found),
        figures=[_shown(title, figure) for title, figure in sweep_figures(summary, study)],
        failures=[record for record in summary.records if record.state is TrialState.FAIL],
        launches=[_launch(launch) for launch in study.user_attrs.get("launches", [])],
        plotly_js=get_plotlyjs(),
    )


def _shown(title: str, figure: go.Figure) -> _Shown:
    figure.update_layout(
        title=None,
        height=_HEIGHT,
        template="plotly_white",
        margin={"l": 50, "r": 20, "t": 30, "b": 50},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2},  # beside the figure it fills a phone
    )
    config = {"responsive": True, "displaylogo": False}
    html = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return _Shown(title, html)


def _headline(summary: SweepSummary) -> str:
    by_state, best = counts(summary.records), next(iter(summary.leaderboard), None)
    told = ", ".join(f"{count} {state.name.lower()}" for state, count in by_state.items() if count)
    if best is None or best.value is None:
        return f"{told or 'no trials yet'}."
    return f"{told}. Best {summary.config.metric} {best.value:.4f}, {best.key}."


def _facts(summary: SweepSummary) -> list[tuple[str, str]]:
    config, saved = summary.config, summary.savings
    space = [(f"space: {name}", text) for name, text in config.space.describe()]
    data = config.dataset
    sizes = "" if data is None else ", ".join(f"{count:,} {split}" for split, count in data.sizes.items())
    return [
        *([] if data is None else [("data", f"{data.name}: {sizes}")]),
        ("budget", f"{config.trials} trials of up to {config.max_epochs} epochs"),
        ("sampler, pruner", f"{config.sampler}, {pruner_name(config.pruner, config.max_epochs)}"),
        *space,
        (
            "pruning saved",
            f"{saved.epochs_saved} of {saved.epochs_run + saved.epochs_saved} epochs, about "
            f"{human_seconds(saved.seconds_saved)} of training",
        ),
        ("trained", f"{saved.epochs_run} epochs, {human_seconds(saved.seconds_run)}"),
    ]


def _row(config: SweepConfig, record: TrialRecord) -> list[str]:
    values = [shown(record.params.get(name)) for name in config.space.parameters]
    value = "-" if record.value is None else f"{record.value:.4f}"
    return [record.key, value, str(len(record.epochs)), human_seconds(record.train_seconds), *values]


def _confirmed(found: Confirmation) -> list[list[str]]:
    rows = []
    for finalist in found.finalists:
        estimate = finalist.estimate
        figures = (finalist.claimed, estimate.mean)
        rows.append(
            [
                finalist.record.key,
                *("-" if figure is None else f"{figure:.4f}" for figure in figures),
                "-" if estimate.low is None else f"{estimate.low:.4f} to {estimate.high:.4f}",
                str(estimate.n),
                "-" if estimate.probability_best is None else f"{estimate.probability_best:.2f}",
                "-" if finalist.optimism is None else f"{finalist.optimism:+.4f}",
            ]
        )
    return rows


def _launch(launch: dict[str, Any]) -> Sequence[tuple[str, str]]:
    when = datetime.datetime.fromtimestamp(launch["time_ms"] / 1000, datetime.UTC)
    versions = ", ".join(f"{name} {number}" for name, number in launch["versions"].items())
    return [
        ("launched", f"{when:%Y-%m-%d %H:%M} UTC on {launch['host']}"),
        ("command", str(launch["command"])),
        ("code", str(launch["code"] or "no checkout")),
        ("versions", versions),
    ]
