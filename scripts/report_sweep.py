"""Write a sweep's report: one HTML file that opens anywhere, offline. Or serve it while the sweep runs.

# reports/night.html:
uv run scripts/report_sweep.py night
# and reports/figures/night/*.pdf, *.svg and *.png, for papers:
uv run scripts/report_sweep.py night --figures
# a page that follows the sweep:
uv run scripts/report_sweep.py night --serve
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from scripts import cli
from scripts.answers import Answer, answers
from scripts.documents.sweeps import Files

app = cli.app(__file__, __doc__)


@app.default
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
    serve: Annotated[
        cli.Flag,
        Parameter(help="Write nothing: serve the report, always up to date, on this machine until Ctrl-C."),
    ] = False,
    port: Annotated[
        int,
        Parameter(help="Port of --serve; 0 takes a free one.", validator=Number(gte=0, lte=65535)),
    ] = 0,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> Answer:
    """Leaderboard, all trials, learning curves, importances, slices, timeline of the workers, failures."""
    from scripts.consoles import out
    from scripts.report_output import follow, write

    if serve:
        return follow(name, sweeps_dir, port, alone=file is None and not figures)
    written = write(name, sweeps_dir, file or Path("reports", f"{name}.html"), figures)
    return Answer(
        lambda: Files(files=[str(path.absolute()) for path in written]),
        lambda: out.print(*written, sep="\n"),
    )


if __name__ == "__main__":
    cli.main(app)
