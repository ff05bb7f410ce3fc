"""Launch a sweep: sample, train, prune and log trials until its size is used up.

# the quickstart, about two minutes on two cores:
uv run scripts/launch_sweep.py
uv run scripts/launch_sweep.py night --space baseline --dataset cifar10 \\
    --trials 60 --max-epochs 30
# check and plan a sweep of one's own images, start nothing:
uv run scripts/launch_sweep.py mine --space my_space.py \\
    --dataset folder --data-dir images --dry-run
uv run scripts/launch_sweep.py examples/quickstart.toml --trials 30
# from launch to a registered model, out of the epochs of 40 trainings:
uv run scripts/launch_sweep.py night --budget 40x --finish
"""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from scripts import cli
from scripts.answers import Answer, answers
from scripts.documents.sweeps import SavedFile
from scripts.options import options, takes
from search.launching.request import GROUPS, SweepRequest

app = cli.app(__file__, __doc__)

_ENVIRONMENT = {
    "storage": "SWEEP_STORAGE",
    "tracking_uri": "MLFLOW_TRACKING_URI",
    "sweeps_dir": "SWEEPS_DIR",
}


@app.default
@takes(
    *itertools.chain.from_iterable(
        options(group, SweepRequest, fields, environment=_ENVIRONMENT) for group, fields in GROUPS.items()
    ),
)
@cli.stoppable
@answers
def launch(
    sweep: Annotated[
        str | None,
        Parameter(
            name="NAME",
            help="Name of the sweep, or a sweep file such as night.toml; by default the space's, numbered.",
        ),
    ] = None,
    /,
    *,
    dry_run: Annotated[cli.Flag, Parameter(help="Check everything, print the plan, start nothing.")] = False,
    save_config: Annotated[
        Path | None,
        Parameter(help="Write what is asked for, but for passwords, as a new sweep file; start nothing."),
    ] = None,
    **given: Any,
) -> Answer:
    """Launch a sweep. Interrupted or killed, `resume_sweep.py NAME` continues it.

    The study is the source of truth (SWEEPS_DIR/NAME/study.db by default) and MLflow shows it.
    Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.
    """
    from scripts.waiting import waiting
    from search.finalists.finishing import check_finish
    from search.launching.claim import claimed
    from search.launching.launch import check_new
    from search.launching.sweep_file import asked, write

    request, stem = asked(sweep, given)
    if save_config is not None:
        from scripts.commands import typed
        from scripts.consoles import out

        write(save_config, request)
        command = f"{typed('launch_sweep.py')} {shlex.quote(str(save_config))}"
        written = f"{save_config} is written, nothing was started; launch it with:  {command}"
        saved = SavedFile(file=str(save_config.absolute()), next=[command])
        return Answer(lambda: saved, lambda: out.print(written))
    decoded = "" if request.module else "; images are decoded once"
    with waiting(f"checking what was asked for{decoded}"):
        config = request.config(stem)
        check_new(config)
        if config.finish:
            check_finish(config)
    if dry_run:
        from scripts.plan_output import planned

        return planned(config)
    from scripts.sweep_output import run_and_print

    with claimed(config, None if request.name else lambda: request.fresh_name(stem)) as config:
        return run_and_print(config)


if __name__ == "__main__":
    cli.main(app)
