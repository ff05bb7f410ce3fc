"""Write a sweep's report: one HTML file that opens anywhere, offline.

# reports/night.html:
uv run scripts/report_sweep.py night
# and reports/figures/night/*.pdf, *.svg and *.png, for papers:
uv run scripts/report_sweep.py night --figures
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts import cli
from scripts.answers import Answer, answers
from scripts.documents.sweeps import Files

app = cli.app(__file__, __doc__)


@app.default
@cli.stoppable
@answers
def report(
    name: Annotated[str, Parameter(help="Name of the sweep; it may be running.")],
    /,
    *,
    file: Annotated[Path | None, Parameter(help="Where to write it; by default reports/NAME.html.")] = None,
    figures: Annotated[
        cli.Flag,
        Parameter(help="Also write each figure as PDF, SVG and PNG, to figures/NAME beside it."),
    ] = False,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> Answer:
    """Leaderboard, learning curves, importances, slices, timeline of the workers, failures, environment."""
    from scripts.consoles import out
    from scripts.waiting import waiting
    from search.reporting.report import write_report

    file = file or Path("reports", f"{name}.html")
    with waiting("writing the report"):
        written = [write_report(name, sweeps_dir, file)]
    if figures:
        from search.reporting.paper_figures import write_figures  # pyplot, half a second of imports

        with waiting("drawing the figures"):
            written += write_figures(name, sweeps_dir, file.parent / "figures" / name)
    return Answer(
        lambda: Files(files=[str(path.absolute()) for path in written]),
        lambda: out.print(*written, sep="\n"),
    )


if __name__ == "__main__":
    cli.main(app)
