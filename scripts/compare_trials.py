"""Compare the trials of one or several sweeps.

uv run scripts/compare_trials.py night
uv run scripts/compare_trials.py night day --top 20 --format csv > trials.csv
uv run scripts/compare_trials.py night --all --format json > trials.json
uv run scripts/compare_trials.py night --ui
"""

from __future__ import annotations

import enum
import json
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
    all_trials: Annotated[
        bool,
        typer.Option(
            "--all", help="Every trial in whatever state, as csv or json; in json with its epochs' metrics."
        ),
    ] = False,
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
    from scripts.consoles import err, out
    from search.errors import UserError
    from search.results.comparison import best_of_all, common_store, write_csv
    from search.results.summary import summarise, trial_row

    if all_trials and format is Format.TABLE:
        raise UserError("--all: a table shows the best trials alone; add --format csv or --format json")
    summaries = [summarise(name, sweeps_dir) for name in dict.fromkeys(names)]
    shown_in = common_store(summaries) if ui else None
    if format is Format.JSON:
        told = [summary.to_json(top, all_trials) for summary in summaries]
        out.file.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    elif format is Format.CSV:
        every = ((summary, record) for summary in summaries for record in summary.records)
        trials = every if all_trials else best_of_all(summaries, top)
        out.file.write(write_csv([trial_row(summary, record, summaries) for summary, record in trials]))
    else:
        print_comparison(summaries, best_of_all(summaries, top), port)
    if shown_in is not None:
        from search.tracking.pages.server import serve_ui

        serve_ui(shown_in, port, announce=err.print)
    return cli.DONE


if __name__ == "__main__":
    app()
