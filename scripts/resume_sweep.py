"""Resume a sweep after anything, or let a finished one grow.

uv run scripts/resume_sweep.py night
uv run scripts/resume_sweep.py night --trials 100
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
def resume(
    name: Annotated[str, typer.Argument(help="Name of the sweep.")],
    trials: Annotated[int | None, typer.Option(help="Trials in all, if not as many as at launch.")] = None,
    time_budget: cli.TimeBudget = None,
    trial_timeout: cli.TrialTimeout = None,
    cleanup_time: cli.CleanupTime = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Train failed trials' parameters again.")
    ] = False,
    skip_trial: Annotated[
        list[int] | None,
        typer.Option(help="End this unfinished trial as failed, such as one that kills drivers; repeatable."),
    ] = None,
    cpus_per_trial: cli.CpusPerTrial = None,
    gpus_per_trial: cli.GpusPerTrial = None,
    concurrency: cli.Concurrency = None,
    first_failures: cli.FirstFailures = None,
    max_failed_share: cli.MaxFailedShare = None,
    share_after: cli.ShareAfter = None,
    ray_address: cli.RayAddress = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the images lie, if not as at launch.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="Where the study lies now, if its database was moved.")
    ] = None,
    tracking_uri: Annotated[
        str | None, typer.Option(help="Another MLflow tracking store than at launch.")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="Another MLflow experiment than before.")] = None,
    checkpoints: Annotated[
        str | None, typer.Option(help="Folder or URI of the checkpoints, if not as before.")
    ] = None,
    keep_checkpoints: Annotated[
        int | None, typer.Option(help="Best trials whose checkpoints are kept, if not as many as before.")
    ] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> int:
    """Resume a sweep: unfinished trials go on from their newest checkpoints, then new ones are asked for.

    What defines the sweep (space, data, metric, sampler, pruner, epochs) is as it was launched. Options that
    are not given are as at the last launch or resume.
    """
    from scripts.sweep_output import run_and_print
    from search.launching.launch import check_skippable, resumed

    changes = {
        "trials": trials,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "concurrency": concurrency,
        "trial_timeout": cli.seconds(trial_timeout),
        "cleanup_time": cli.seconds(cleanup_time),
        "first_failures": first_failures,
        "max_failed_share": max_failed_share,
        "share_after": share_after,
        "ray_address": ray_address,
        "storage": storage,
        "tracking_uri": tracking_uri,
        "experiment": experiment,
        "checkpoints": checkpoints,
        "keep_checkpoints": keep_checkpoints,
        "paths": None if data_dir is None else {"data": str(data_dir.absolute())},
    }
    config = resumed(name, sweeps_dir, time_budget=cli.seconds(time_budget), changes=changes)
    check_skippable(config, skip_trial or ())
    return run_and_print(config, retry_failed=retry_failed, skip=skip_trial or ())


if __name__ == "__main__":
    app()
