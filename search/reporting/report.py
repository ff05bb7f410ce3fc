"""Makes the report of a sweep from its study."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from cifar_cnn.files import write_atomically
from search.config.credentials import hide_in
from search.finalists.confirm import newest_confirmation
from search.finalists.spending import spending
from search.reporting import finalists_table
from search.reporting.figures import parameter_axes, sweep_sections
from search.reporting.page_figures import page_section
from search.reporting.run_links import RunLinks
from search.reporting.trials_table import trials_table
from search.reporting.worker_bars import gaps, worker_bars
from search.results.columns import Columns
from search.results.configurations import configurations
from search.results.digits import all_shown, human_seconds, score, scores
from search.results.freezing import (
    best_unfinished,
    best_unfinished_text,
    choices,
    furthest_frozen,
    rungs,
    state_text,
)
from search.results.leaderboard import latest, leading, outcomes
from search.results.outlook import outlook
from search.results.summary import SweepSummary
from search.study.records import Outcome

_COST = ("epochs", "train time")  # columns of the leaderboard beside the metric and the parameters
_MOST_ROWS = 20  # of the leaderboard
_MOST_FAILURES = 10  # told with their tracebacks
_MOST_FROZEN = 10
_MOST_CHOICES = 15  # of what free slots did, the newest
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("search.reporting"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_report(summary: SweepSummary, file: Path, runs: RunLinks | None = None) -> Path:
    """Write a sweep's report.

    Args:
        summary: of the sweep, which may be running.
        file: the HTML file to write; self-contained, some 5 MB, most of it plotly.
        runs: where MLflow shows it; by default without the sweep's own run, whose id its study does not tell.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, report_html(summary, runs))
    return file


def report_html(summary: SweepSummary, runs: RunLinks | None = None, every: float | None = None) -> str:
    """The page of a report.

    Args:
        summary: as of `write_report`, and so is the next.
        runs: where MLflow shows the sweep.
        every: seconds after which the page asks its server for what is new, which has `plotly.js` beside it;
            None: it stands by itself.
    """
    config, confirmation = summary.config, newest_confirmation(summary)
    runs = runs or RunLinks.of(summary)
    order = [axis.name for axis in parameter_axes(summary)]
    failures = [record for record in summary.records if record.outcome is Outcome.FAILED]
    return _TEMPLATES.get_template("report.html").render(
        config=config,
        headline=_headline(summary),
        facts=_facts(summary),
        runs=runs,
        **_leaderboard(summary, _MOST_ROWS, order),
        repeated=_repeated(summary),
        confirmation_headings=finalists_table.HEADINGS,
        confirmation=[] if confirmation is None else finalists_table.finalist_rows(confirmation),
        rungs=_rungs(summary),
        frozen=_frozen(summary),
        choices=_choices(summary),
        all_trials=trials_table(summary, order, runs.trials).to_json() if summary.records else None,
        sections=[page_section(section) for section in sweep_sections(summary)],
        failures=failures[:_MOST_FAILURES],
        more_failures=max(0, len(failures) - _MOST_FAILURES),
        space=config.space.describe(),
        launches=[_launch(launch) for launch in summary.launches],
        plotly_js="" if every else get_plotlyjs(),
        every=every,
    )


def summary_html(summary: SweepSummary, top: int) -> str:
    """A sweep in short, as a part of another page: its counts, and the best `top` trials."""
    return _TEMPLATES.get_template("summary.html").render(
        name=summary.config.name,
        headline=_headline(summary),
        **_leaderboard(summary, top, summary.importances),
    )


def _repeated(summary: SweepSummary) -> dict[str, list[Any]]:
    """The table of configurations by their means: headings and rows, if several trials completed one."""
    config, params = summary.config, list(summary.config.space.parameters)
    found = configurations(summary.records, config.goal)
    if all(len(each.records) == 1 for each in found):
        return {"headings": [], "rows": []}
    best = found[:_MOST_ROWS]
    cells = [scores([each.mean for each in best]), [str(len(each.records)) for each in best]]
    cells += [[", ".join(scores(each.values)) for each in best]]
    cells += [[", ".join(record.key for record in each.records) for each in best]]
    cells += [all_shown([each.best.params.get(name) for each in best]) for name in params]
    headings = [f"mean {config.metric}", "seeds", "each", "trials", *params]
    return {"headings": headings, "rows": [list(row) for row in zip(*cells, strict=True)]}


def _rungs(summary: SweepSummary) -> list[list[str]]:
    """Rows of the table of rungs: the epoch, how many came there, went on, and wait; none if none freezes."""
    return [
        [f"{rung.epochs} of {summary.config.max_epochs}", *map(str, (rung.reached, rung.passed, rung.frozen))]
        for rung in rungs(summary.records)
    ]


def _frozen(summary: SweepSummary) -> dict[str, list[Any]]:
    """The table of the frozen trials that have trained furthest: its headings and its rows."""
    config = summary.config
    columns = Columns.of([config], ["trial", "state"])
    furthest = furthest_frozen(summary.records, config.goal)[:_MOST_FROZEN]
    cells = [[record.key for record in furthest]]
    cells += [[state_text(record, config.max_epochs) for record in furthest]]
    cells += [scores([latest(record, config.metric) for record in furthest])]
    cells += [all_shown([record.params.get(name) for record in furthest]) for name in columns.params]
    headings = ["trial", "state", columns.metrics[config.metric], *columns.params.values()]
    return {"headings": headings, "rows": [list(row) for row in zip(*cells, strict=True)]}


def _choices(summary: SweepSummary) -> list[list[str]]:
    """Rows of the table of what free slots did, the newest first."""
    newest = choices(summary.records)[: -_MOST_CHOICES - 1 : -1]
    last = summary.config.max_epochs
    return [
        [str(choice), f"{choice.hand_out.until or last} of {last}", str(choice.hand_out.reports)]
        for choice in newest
    ]


def _headline(summary: SweepSummary) -> str:
    best = next(iter(summary.leaderboard), None)
    trials = outcomes(summary.records)
    furthest = best_unfinished(summary.records, summary.config.goal)
    if best is None and furthest is not None:
        so_far = best_unfinished_text(furthest, summary.config.max_epochs)
        return f"{trials}. No trial is complete yet, best so far {so_far}."
    if best is None or best.value is None:
        return f"{trials or 'no trials yet'}."
    return f"{trials}. Best {summary.config.metric} {score(best.value)}, {best.key}."


def _facts(summary: SweepSummary) -> list[tuple[str, str]]:
    config, trained = summary.config, summary.savings
    ahead = outlook(config, summary.records)
    data = config.dataset
    sizes = "" if data is None else ", ".join(f"{count:,} {split}" for split, count in data.sizes.items())
    return [
        *([] if data is None else [("data", f"{data.name}: {sizes}")]),
        ("budget", config.size_text),
        ("sampler, pruner", f"{config.sampler}, {config.pruner}"),
        *_wall_time(summary),
        ("trained", f"{trained.epochs_run} epochs, {human_seconds(trained.seconds_run)}"),
        *spending(config, summary.records).lines(config),
        *([] if ahead is None else [("outlook", str(ahead))]),
    ]


def _wall_time(summary: SweepSummary) -> list[tuple[str, str]]:
    """From the first epoch's beginning to the last one's end, and for how much of it nobody trained."""
    bars = worker_bars(summary.records)
    if not bars:
        return []
    wall = max(bar.start_s + bar.seconds for bar in bars)
    idle = sum(end - begin for begin, end in gaps(bars))
    interrupted = f", interrupted for {human_seconds(idle)} of it" if idle else ""
    return [("wall time", f"{human_seconds(wall)}{interrupted}")]


def _leaderboard(summary: SweepSummary, most: int, order: Iterable[str]) -> dict[str, Any]:
    """What `trials` in `parts.html` shows: headings, rows of text, and how many more completed.

    These parameters come first.
    """
    config, best = summary.config, summary.leaderboard
    columns = Columns.of([config], ["trial", *_COST])
    params = dict.fromkeys([*order, *columns.params])
    rows = [
        [key, value, str(len(record.epochs)), human_seconds(record.train_seconds), *params]
        for record, (key, value, *params) in zip(best[:most], leading(best[:most], params), strict=True)
    ]
    return {
        "headings": [
            "trial",
            columns.metrics[config.metric],
            *_COST,
            *(columns.params[name] for name in params),
        ],
        "leaderboard": rows,
        "more": max(0, len(best) - most),
    }


def _launch(launch: dict[str, Any]) -> Sequence[tuple[str, str]]:
    when = datetime.datetime.fromtimestamp(launch["time_ms"] / 1000, datetime.UTC)
    versions = ", ".join(f"{name} {number}" for name, number in launch["versions"].items())
    return [
        ("launched", f"{when:%Y-%m-%d %H:%M} UTC on {launch['host']}"),
        ("command", hide_in(str(launch["command"]))),  # earlier versions wrote passwords down
        ("code", str(launch["code"] or "no checkout")),
        ("versions", versions),
    ]
