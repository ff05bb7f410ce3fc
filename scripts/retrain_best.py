"""Confirm the best of a sweep with fresh seeds, retrain the winner, test it once, register the model.

uv run scripts/retrain_best.py night                      # 3 finalists x 3 seeds, then 3 retrainings
uv run scripts/retrain_best.py night --max-epochs 60      # the winner is retrained for longer
uv run scripts/retrain_best.py night --top 1 --seeds 1    # quick: one training of the best, nothing confirmed
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts import cli

app = cli.app(__doc__)


@app.command()
@cli.exit_codes
@cli.stoppable
def retrain(
    name: Annotated[str, typer.Argument(help="Name of the sweep.")],
    top: Annotated[int, typer.Option(help="Finalists: the best distinct configurations.", min=1)] = 3,
    seeds: Annotated[
        int, typer.Option(help="Fresh seeds of each finalist, and of the winner's retraining.", min=1)
    ] = 3,
    trial: Annotated[int | None, typer.Option(help="Take this trial instead of the best.")] = None,
    max_epochs: Annotated[
        int | None, typer.Option(help="Epochs to retrain the winner, if not the sweep's.", min=1)
    ] = None,
    model_name: Annotated[str, typer.Option(help="Name in MLflow's registry.")] = "cifar-cnn",
    test_again: Annotated[
        bool, typer.Option("--test-again", help="Read the test split though it was read before; recorded.")
    ] = False,
    cpus_per_trial: cli.CpusPerTrial = None,
    gpus_per_trial: cli.GpusPerTrial = None,
    concurrency: cli.Concurrency = None,
    ray_address: cli.RayAddress = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the images lie, if not as in the sweep.")
    ] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="Another MLflow tracking store than the sweep's.")
    ] = None,
    checkpoints: Annotated[
        str | None, typer.Option(help="Folder or URI for checkpoints, if not where the sweep's lie.")
    ] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """Confirm, retrain on training and validation images, evaluate on the test split, once, and register.

    The model lies in SWEEPS_DIR/NAME/retrain/.../model and in MLflow, as the candidate, and as the champion
    if it beats the one there is. What is not said of where to train is as the sweep has it.
    """
    from scripts.commands import command
    from scripts.consoles import err
    from scripts.retrain_output import retrain_and_print
    from search.config.names import check_model_name
    from search.finalists.confirm import choose_finalists
    from search.finalists.repeats import to_repeat_here
    from search.launching.launch import check_tracking_there
    from search.results.leaderboard import counts
    from search.results.summary import summarise
    from search.study.opening import check_idle
    from search.study.records import Outcome

    places = {
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "concurrency": concurrency,
        "ray_address": ray_address,
        "tracking_uri": tracking_uri,
        "checkpoints": checkpoints,
        "paths": None if data_dir is None else {"data": str(data_dir.absolute())},
    }
    check_model_name(model_name)
    summary = to_repeat_here(summarise(name, sweeps_dir), places)
    check_idle(summary.config)
    if tracking_uri is None:
        check_tracking_there(summary.config)
    if left := counts(summary.records)[Outcome.RUNNING]:
        err.print(
            f"{left} of its trials are unfinished and do not count: "
            f"`{command('resume_sweep.py', summary.config)}` ends them first"
        )
    finalists = choose_finalists(summary, top, trial)
    if trial is None and len(finalists) < top:
        err.print(f"finalists: only {len(finalists)} distinct configurations completed, not {top}")
    return retrain_and_print(
        summary, finalists, seeds=seeds, max_epochs=max_epochs, model_name=model_name, test_again=test_again
    )


if __name__ == "__main__":
    app()
