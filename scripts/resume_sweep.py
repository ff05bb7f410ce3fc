"""Resume a sweep after anything, or let a finished one grow.

uv run scripts/resume_sweep.py night
uv run scripts/resume_sweep.py night --trials 100
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from scripts import cli
from scripts.answers import Answer, answers
from scripts.options import options, takes
from search.config.finishing import Finishing
from search.config.resources import Resources
from search.config.run_settings import Limits, Places
from search.config.size import Size

app = cli.app(__file__, __doc__)

# Who gives one of these wants to search on, though what was found is being finished.
_SEARCHES = {*Size.model_fields, *Limits.model_fields, *Finishing.model_fields}


@app.default
@takes(
    *options("How large the sweep is", Size, shows_defaults=False),
    *options("Resources of the trials", Resources, shows_defaults=False),
    *options("When the sweep or a trial is ended", Limits, shows_defaults=False),
    *options("What comes after the search", Finishing, shows_defaults=False),
    *options("Where things are", Places, shows_defaults=False),
)
@cli.stoppable
@answers
def resume(
    name: cli.SweepName,
    /,
    *,
    retry_failed: Annotated[cli.Flag, Parameter(help="Train failed trials' parameters again.")] = False,
    skip_trial: Annotated[
        list[int] | None,
        Parameter(
            help="End this unfinished trial as failed, such as one that kills drivers; repeatable.",
            negative=(),
        ),
    ] = None,
    data_dir: Annotated[Path | None, Parameter(help="Where the images lie, if not as at launch.")] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
    **given: Any,
) -> Answer:
    """Resume a sweep: unfinished trials resume from their newest checkpoints, then new ones are asked for.

    What defines the sweep (space, data, metric, sampler, pruner, epochs) is as it was launched. Options that
    are not given are as at the last launch or resume; one such as `--no-concurrency` takes a value back.
    """
    from scripts.sweep_output import go_on_finishing, run_and_print
    from scripts.waiting import waiting
    from search.finalists.finishing import being_finished, check_finish
    from search.launching.launch import check_skippable, resumed

    paths = {} if data_dir is None else {"paths": {"data": str(data_dir.absolute())}}
    with waiting("reading the sweep, and looking at its data"):
        config = resumed(name, sweeps_dir, {**given, **paths})
        asked = given.keys() & _SEARCHES or retry_failed or skip_trial
        finishing = being_finished(config) if config.finish and not asked else None
        if config.finish and finishing is None:
            check_finish(config)
    if finishing is not None:
        return go_on_finishing(finishing)
    check_skippable(config, skip_trial or ())
    return run_and_print(config, retry_failed=retry_failed, skip=skip_trial or ())


if __name__ == "__main__":
    cli.main(app)
