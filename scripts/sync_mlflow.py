"""Rebuild or repair the MLflow view of a sweep from its study alone.

uv run scripts/sync_mlflow.py night
# into another store:
uv run scripts/sync_mlflow.py night --tracking-uri http://127.0.0.1:5000
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts import cli
from scripts.answers import Answer, answers
from scripts.documents.sweeps import Synchronised

app = cli.app(__file__, __doc__)


@app.default
@cli.stoppable
@answers
def sync(
    name: cli.SweepName,
    /,
    *,
    tracking_uri: Annotated[
        str | None, Parameter(help="Another tracking store than the sweep's own.")
    ] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> Answer:
    """Make MLflow show the sweep exactly as its study has it. Does nothing to a view that is exact.

    Refused while a driver is at work on the sweep: its own view is being written.
    """
    from scripts.consoles import out
    from search.tracking.repair.sweep_repair import sync_sweep

    repairs = sync_sweep(name, sweeps_dir, tracking_uri)

    def show() -> None:
        if repairs.none:
            out.print(f"{name}: MLflow is exact, nothing to do")
            return
        runs = f"{repairs.created} created, {repairs.completed} completed, {repairs.replaced} replaced"
        out.print(f"{name}: runs {runs}, {repairs.duplicates} duplicates removed; MLflow is exact now")

    return Answer(lambda: Synchronised(sweep=name, **vars(repairs)), show)


if __name__ == "__main__":
    cli.main(app)
