"""Compare the trials of one or several sweeps.

uv run scripts/compare_trials.py night
uv run scripts/compare_trials.py night day --top 20 --format csv > trials.csv
uv run scripts/compare_trials.py night --ui
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from scripts import cli

app = cli.app(__doc__)


class Format(enum.StrEnum):
    """How the comparison is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command()
@cli.exit_codes
def compare(
    names: Annotated[list[str], typer.Argument(help="Names of sweeps.")],
    top: Annotated[int, typer.Option(help="Trials to show, the best first.", min=1)] = 10,
    format: Annotated[
        Format, typer.Option(help="table for people; json and csv for programs.")
    ] = Format.TABLE,
    ui: Annotated[
        bool, typer.Option("--ui", help="Start the MLflow UI on the sweeps' store; Ctrl-C ends it.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of the UI.")] = 5000,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """Leaderboard, parameter importances, what pruning saved, and the link to MLflow's comparison.

    Reads the studies, also of sweeps that are running.
    """
    from scripts.comparison_output import print_comparison
    from scripts.screen import err, out
    from search.comparison import best_of_all, summarise, trial_row, write_csv

    summaries = [summarise(name, sweeps_dir) for name in dict.fromkeys(names)]
    best = best_of_all(summaries, top)
    if format is Format.JSON:
        out.print_json(data=[summary.to_json(top) for summary in summaries])
    elif format is Format.CSV:
        out.file.write(write_csv([trial_row(summary, record) for summary, record in best]))
    else:
        print_comparison(summaries, best, port)
    if ui:
        from search.tracking.page import serve_ui

        serve_ui(summaries[0].config.tracking_uri, port, announce=err.print)
    return cli.DONE


if __name__ == "__main__":
    app()
