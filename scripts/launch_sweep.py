"""Launch a sweep: sample, train, prune and log trials until the asked number is done.

uv run scripts/launch_sweep.py                                   # quickstart, about two minutes on two cores
uv run scripts/launch_sweep.py night --space baseline --dataset cifar10 --trials 60 --max-epochs 30
uv run scripts/launch_sweep.py mine --space my_space.py --dataset folder --data-dir images --dry-run
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from scripts import cli

app = cli.app(__doc__)


@app.command()
@cli.exit_codes
@cli.stoppable
def launch(
    name: Annotated[
        str | None, typer.Argument(help="Name of the sweep; by default the space's, numbered.")
    ] = None,
    space: Annotated[str, typer.Option(help="quickstart, baseline, wide, or a Python file.")] = "quickstart",
    dataset: Annotated[
        str, typer.Option(help="digits (offline), cifar10 (downloaded) or folder.")
    ] = "digits",
    data_dir: Annotated[Path, typer.Option(help="Where the images lie or are downloaded to.")] = Path("data"),
    train_size: Annotated[
        int | None, typer.Option(help="Train on a stratified subset of so many images.")
    ] = None,
    val_size: Annotated[int | None, typer.Option(help="Validate on so many.")] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave images out that cannot be decoded; they are named.")
    ] = False,
    trials: Annotated[int, typer.Option(help="Trials in all, pruned ones included.")] = 16,
    max_epochs: Annotated[int, typer.Option(help="Epochs of a trial that is not pruned.")] = 6,
    sampler: Annotated[str, typer.Option(help="tpe, random, gp, cmaes, qmc or grid.")] = "tpe",
    sampler_arg: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the sampler, such as group=true; repeatable.")
    ] = None,
    enqueue: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE,... to try first, such as a known good configuration; repeatable."),
    ] = None,
    pruner: Annotated[
        str,
        typer.Option(
            help="auto (by max-epochs), hyperband, asha, median, percentile, threshold, patient, none."
        ),
    ] = "auto",
    pruner_arg: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE for the pruner, such as lower=0.1; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sampler; trial n trains with seed + n.")] = 0,
    cpus_per_trial: cli.CpusPerTrial = None,
    gpus_per_trial: cli.GpusPerTrial = None,
    concurrency: cli.Concurrency = None,
    time_budget: cli.TimeBudget = None,
    trial_timeout: cli.TrialTimeout = None,
    cleanup_time: cli.CleanupTime = "60s",
    first_failures: cli.FirstFailures = 3,
    max_failed_share: cli.MaxFailedShare = 0.5,
    share_after: cli.ShareAfter = 6,
    ray_address: cli.RayAddress = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="SQLAlchemy URL of the study, if not SQLite in the sweep's folder.", envvar="SWEEP_STORAGE"
        ),
    ] = None,
    tracking_uri: Annotated[
        str, typer.Option(help="MLflow tracking store.", envvar="MLFLOW_TRACKING_URI")
    ] = "sqlite:///mlflow.db",
    experiment: Annotated[str, typer.Option(help="MLflow experiment.")] = "cifar-sweep",
    checkpoints: Annotated[
        str | None,
        typer.Option(help="Folder or URI (s3://...) that all nodes share, if not the sweep's own."),
    ] = None,
    keep_checkpoints: Annotated[int, typer.Option(help="Best trials whose checkpoints are kept.")] = 3,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, start nothing.")
    ] = False,
) -> int:
    """Launch a sweep. Interrupted or killed, it goes on with `resume_sweep.py NAME`.

    The study is the truth (SWEEPS_DIR/NAME/study.db by default) and MLflow shows it. Exit codes: 0 done,
    1 failed, 2 usage, 130 interrupted.
    """
    from search.cifar import cifar_config, data_config
    from search.launching.claim import claimed
    from search.launching.launch import check_new, fresh_name

    config = cifar_config(
        space=space,
        data=data_config(dataset, data_dir, train_size, val_size, skip_damaged),
        name=name or fresh_name(space, sweeps_dir, storage),
        trials=trials,
        max_epochs=max_epochs,
        sampler=sampler,
        sampler_args=cli.named_values(sampler_arg),
        enqueue=[cli.named_texts(values.split(",")) for values in enqueue or []],
        pruner=pruner,
        pruner_args=cli.named_values(pruner_arg),
        seed=seed,
        cpus_per_trial=cpus_per_trial,
        gpus_per_trial=gpus_per_trial,
        concurrency=concurrency,
        time_budget=cli.seconds(time_budget),
        trial_timeout=cli.seconds(trial_timeout),
        cleanup_time=cli.seconds(cleanup_time),
        first_failures=first_failures,
        max_failed_share=max_failed_share,
        share_after=share_after,
        ray_address=ray_address,
        storage=storage,
        tracking_uri=tracking_uri,
        experiment=experiment,
        checkpoints=checkpoints,
        keep_checkpoints=keep_checkpoints,
        sweeps_dir=sweeps_dir,
    )
    check_new(config)
    if dry_run:
        from scripts.plan_output import print_plan

        return print_plan(config)
    from scripts.sweep_output import run_and_print

    numbered = None if name else functools.partial(fresh_name, space, sweeps_dir, storage)
    with claimed(config, numbered) as config:
        return run_and_print(config)


if __name__ == "__main__":
    app()
