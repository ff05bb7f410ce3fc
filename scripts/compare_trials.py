"""Compare the trials of one or several sweeps.

uv run scripts/compare_trials.py night
uv run scripts/compare_trials.py night day --top 20 --format csv > trials.csv
uv run scripts/compare_trials.py night --all --json > trials.json
uv run scripts/compare_trials.py night --ui
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from scripts import cli
from scripts.answers import Answer, answers
from scripts.documents.sweeps import Comparison

app = cli.app(__file__, __doc__)


@app.default
@answers
def compare(
    *names: Annotated[str, Parameter(name="NAMES", help="Names of sweeps.", required=True)],
    top: Annotated[int, Parameter(help="Trials to show, the best first.", validator=Number(gte=1))] = 10,
    format: Annotated[
        Literal["table", "csv"], Parameter(help="table for people, csv for spreadsheets.")
    ] = "table",
    all_trials: Annotated[
        cli.Flag,
        Parameter(
            name="--all",
            help="Every trial in whatever state, as csv or JSON; in JSON with its epochs' metrics.",
        ),
    ] = False,
    ui: Annotated[
        cli.Flag, Parameter(help="Start the MLflow UI on the sweeps' store; Ctrl-C ends it.")
    ] = False,
    port: Annotated[int, Parameter(help="Port of the UI.")] = 5000,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> Answer:
    """Leaderboard, parameter importances, what pruning saved, and the link to MLflow's comparison.

    Reads the studies, also of sweeps that are running.
    """
    from scripts.comparison_output import comparison, print_comparison
    from scripts.consoles import err, out
    from search.errors import UserError
    from search.results.comparison import best_of_all, common_store, write_csv
    from search.results.summary import summarise, trial_row

    summaries = [summarise(name, sweeps_dir) for name in dict.fromkeys(names)]

    def document() -> Comparison:
        if ui or format == "csv":
            raise UserError(f"{'--ui' if ui else '--format csv'}: give it or --json, not both")
        return comparison(summaries, top, all_trials)

    def show() -> None:
        if all_trials and format == "table":
            raise UserError("--all: a table shows the best trials alone; add --format csv or --json")
        shown_in = common_store(summaries) if ui else None
        if format == "csv":
            every = ((summary, record) for summary in summaries for record in summary.records)
            trials = every if all_trials else best_of_all(summaries, top)
            configs = [summary.config for summary in summaries]
            rows = [trial_row(summary.config, record, configs) for summary, record in trials]
            out.file.write(write_csv(rows))
        else:
            print_comparison(summaries, best_of_all(summaries, top), port, ui)
        if shown_in is not None:
            from search.tracking.pages.server import serve_ui

            serve_ui(shown_in, port, announce=err.print)

    return Answer(document, show)


if __name__ == "__main__":
    cli.main(app)
