"""What `report_sweep.py` does: a sweep's report as files, or served."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from scripts.answers import Answer
from scripts.commands import error_text
from scripts.consoles import err
from scripts.screen import run_links
from scripts.waiting import waiting
from search.engine.signals import ends_when_asked
from search.errors import TrackingDown, UserError
from search.results.summary import SweepSummary, summarise

if TYPE_CHECKING:
    from search.tracking.store import SweepPage  # loads MLflow


def write(name: str, sweeps_dir: Path, file: Path, figures: bool) -> Sequence[Path]:
    """Write the report and, if asked for, its figures for papers; returns the files."""
    from search.reporting.report import write_report

    with ends_when_asked(to_the_last=True):
        with waiting("writing the report"):
            summary = summarise(name, sweeps_dir)
            written = [write_report(summary, file, run_links(summary, page_of(summary)))]
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
            page = page_of(summarise(name, sweeps_dir))

        def html() -> str:
            summary = summarise(name, sweeps_dir)
            return report_html(summary, run_links(summary, page), EVERY_S)

        serve_report(html, port, lambda address: err.print(f"report of {name} on {address}; Ctrl-C ends it"))

    return Answer(document, show)


def page_of(summary: SweepSummary) -> SweepPage | None:
    """Where MLflow shows a sweep; None if it has no run there or, as is told, the store is away."""
    from search.tracking.pages.server import sweep_page

    try:
        return sweep_page(summary)
    except TrackingDown as error:
        err.print(f"no link to the sweep's run in MLflow: {error_text(error)}")
        return None
