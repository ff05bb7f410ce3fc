"""Retrain the best configuration of a sweep on all but the test images, test it once, save the model.

uv run scripts/retrain_best.py night
uv run scripts/retrain_best.py night --max-epochs 60 --seeds 3
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts import cli

app = cli.app(__doc__)


@app.command()
@cli.exit_codes
def retrain(
    name: Annotated[str, typer.Argument(help="Name of the sweep.")],
    trial: Annotated[int | None, typer.Option(help="Retrain this trial instead of the best.")] = None,
    max_epochs: Annotated[
        int | None, typer.Option(help="Epochs to train, if not the sweep's.", min=1)
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Trainings with fresh seeds; three or more tell the spread.")
    ] = 1,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """Train on training and validation images with fresh seeds, evaluate on the test split, once, and save.

    The model lies in SWEEPS_DIR/NAME/retrain/.../model and in MLflow, linked to its sweep and trial.
    """
    from scripts.output import retrain_and_print
    from search.comparison import summarise
    from search.retrain import retrain_config

    summary = summarise(name, sweeps_dir)
    return retrain_and_print(summary, retrain_config(summary, trial, max_epochs, seeds))


if __name__ == "__main__":
    app()
