"""Launch a sweep: sample, train, prune and log trials until the asked number is done.

uv run scripts/launch_sweep.py                                   # quickstart, about two minutes on two cores
uv run scripts/launch_sweep.py night --space baseline --dataset cifar10 --trials 60 --max-epochs 30
uv run scripts/launch_sweep.py mine --space my_space.py --dataset folder --data-dir images --dry-run
"""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from scripts import cli
from scripts.options import options, takes
from search.config.method import Method
from search.config.run_settings import Limits, Places, Resources
from search.launching.request import DATA, SweepRequest

app = cli.app(__file__, __doc__)

_ENVIRONMENT = {
    "storage": "SWEEP_STORAGE",
    "tracking_uri": "MLFLOW_TRACKING_URI",
    "sweeps_dir": "SWEEPS_DIR",
}


@app.default
@takes(
    *options("What is trained", SweepRequest, ["space", *DATA]),
    *options("How the space is searched", SweepRequest, ["trials", *Method.model_fields, "enqueue"]),
    *options("Resources of the trials", SweepRequest, Resources.model_fields),
    *options("When the sweep or a trial is ended", SweepRequest, Limits.model_fields),
    *options(
        "Where things are", SweepRequest, [*Places.model_fields, "sweeps_dir"], environment=_ENVIRONMENT
    ),
)
@cli.stoppable
def launch(
    name: Annotated[
        str | None, Parameter(help="Name of the sweep; by default the space's, numbered.")
    ] = None,
    /,
    *,
    dry_run: Annotated[cli.Flag, Parameter(help="Check everything, print the plan, start nothing.")] = False,
    **given: Any,
) -> int:
    """Launch a sweep. Interrupted or killed, it goes on with `resume_sweep.py NAME`.

    The study is the truth (SWEEPS_DIR/NAME/study.db by default) and MLflow shows it. Exit codes: 0 done,
    1 failed, 2 usage, 130 interrupted.
    """
    from search.launching.claim import claimed
    from search.launching.launch import check_new

    request = SweepRequest.of({"name": name, **given})
    config = request.config()
    check_new(config)
    if dry_run:
        from scripts.plan_output import print_plan

        return print_plan(config)
    from scripts.sweep_output import run_and_print

    with claimed(config, None if request.name else request.fresh_name) as config:
        return run_and_print(config)


if __name__ == "__main__":
    cli.main(app)
