"""What `report_sweep.py` does: a sweep's report as files, or served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from scripts.answers import Answer
from scripts.commands import command
from scripts.consoles import err
from scripts.waiting import waiting
from search.engine.signals import ends_when_asked
from search.errors import TrackingDown, UserError
from search.reporting.run_links import RunLinks
from search.results.summary import SweepSummary, summarise


def write(name: str, sweeps_dir: Path, file: Path, figures: bool) -> Sequence[Path]:
    """Write the report and, if asked for, its figures for papers; returns the files."""
    from search.reporting.report import write_report

    with ends_when_asked(to_the_last=True):
        with waiting("writing the report"):
            written = [write_report(name, sweeps_dir, file, lambda each: links(each, sweep_run_id(each)))]
        if figures:
            from search.reporting.paper_figures import write_figures  # pyplot, half a second of imports

            with waiting("drawing the figures"):
                written += write_figures(name, sweeps_dir, file.parent / "figures" / name)
    return written


def follow(name: str, sweeps_dir: Path, port: int, alone: bool) -> Answer:
    """Serve the report until Ctrl-C.

    Args:
        name: of the sweep.
        sweeps_dir: where it lies.
        port: to listen on.
        alone: whether nothing else was asked for.
    """

    def document() -> NoReturn:
        raise UserError("--serve: give it or --json, not both")

    def show() -> None:
        from search.reporting.live import EVERY_S, serve_report
        from search.reporting.report import report_html

        if not alone:
            raise UserError("--serve writes no file: leave out --file and --figures")
        with waiting("reading the sweep"):
            run_id = sweep_run_id(summarise(name, sweeps_dir))
        serve_report(
            lambda: report_html(name, sweeps_dir, lambda summary: links(summary, run_id), EVERY_S),
            port,
            lambda address: err.print(f"report of {name} on {address}; Ctrl-C ends it"),
        )

    return Answer(document, show)


def links(summary: SweepSummary, run_id: str | None) -> RunLinks:
    """Where MLflow shows a sweep's own run, if there is one, and its trials', and how to open it."""
    return RunLinks.of(summary, run_id, f"{command('compare_trials.py', summary.config)} --ui")


def sweep_run_id(summary: SweepSummary) -> str | None:
    """The id of a sweep's run in MLflow; None if it has none there, or the store does not answer."""
    from search.tracking.pages.server import sweep_page

    try:
        page = sweep_page(summary)
    except TrackingDown:
        return None
    return None if page is None else page.sweep_run_id
