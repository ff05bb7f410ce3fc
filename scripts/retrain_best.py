"""Confirm the best of a sweep with fresh seeds, retrain the winner, test it once, register the model.

# 3 finalists with 9 seeds at most, which go to those that are hard to tell apart; then 3 retrainings:
uv run scripts/retrain_best.py night
# the winner is retrained for longer:
uv run scripts/retrain_best.py night --max-epochs 60
# on 10,000 images, where all of them would take too long:
uv run scripts/retrain_best.py night --train-size 10000
# a LightningModule of one's own is retrained on other data, such as all but the test's:
uv run scripts/retrain_best.py mine --data mine:AllData
# quick: one training of the best, nothing confirmed:
uv run scripts/retrain_best.py night --top 1 --seeds 1
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from scripts import cli
from scripts.answers import Answer, answers
from scripts.options import options, takes
from search.config.finishing import FINALISTS, SEEDS
from search.config.resources import Resources
from search.config.run_settings import Stores

app = cli.app(__file__, __doc__)

_AT_LEAST_ONE = Number(gte=1)


@app.default
@takes(
    *options("Resources of the trainings", Resources, shows_defaults=False),
    *options("Where things are", Stores, shows_defaults=False),
)
@cli.stoppable
@answers
def retrain(
    name: cli.SweepName,
    /,
    *,
    top: Annotated[
        int, Parameter(help="Finalists: the best distinct configurations.", validator=_AT_LEAST_ONE)
    ] = FINALISTS,
    seeds: Annotated[
        int,
        Parameter(
            help="Fresh seeds of a finalist, on average at most, and of the winner's retraining.",
            validator=_AT_LEAST_ONE,
        ),
    ] = SEEDS,
    sure: Annotated[
        float,
        Parameter(
            help="Stop comparing finalists once one is the best with this probability; at 1 all seeds are "
            "trained."
        ),
    ] = 0.95,
    trial: Annotated[int | None, Parameter(help="Take this trial instead of the best.")] = None,
    max_epochs: Annotated[
        int | None,
        Parameter(help="Epochs to retrain the winner, if not the sweep's.", validator=_AT_LEAST_ONE),
    ] = None,
    data: Annotated[
        str | None,
        Parameter(
            help="LightningDataModule to retrain the winner on, if not the sweep's, as nets:AllData or "
            "path/to/nets.py:AllData; it needs no validation."
        ),
    ] = None,
    train_size: Annotated[
        int | None,
        Parameter(
            help="Images to retrain the winner on, a stratified subset; by default all but the test's, "
            "however few the sweep had.",
            validator=_AT_LEAST_ONE,
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        Parameter(help="Name in MLflow's registry; by default cifar-cnn, and of another module the sweep's."),
    ] = None,
    test_again: Annotated[
        cli.Flag, Parameter(help="Read the test split though it was read before; recorded.")
    ] = False,
    data_dir: Annotated[Path | None, Parameter(help="Where the images lie, if not as in the sweep.")] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
    **given: Any,
) -> Answer:
    """Confirm, retrain on all but the test images, evaluate on those, once, and register.

    A sweep on a subset of the images is confirmed on that subset; its winner is retrained on all of them.
    A LightningModule of one's own is retrained on the data that --data names, tested by its test_step and
    saved by its forward. Another training function is confirmed and retrained.

    The model lies in SWEEPS_DIR/NAME/retrain/.../model and in MLflow, as the candidate, and as the champion
    if it beats the one there is. What is not said of where to train is as the sweep has it.
    """
    from scripts.commands import command
    from scripts.consoles import err
    from scripts.retrain_output import retrain_and_print
    from scripts.waiting import waiting
    from search.config.names import check_model_name
    from search.finalists.choosing import choose_finalists
    from search.finalists.repeats import to_repeat_here
    from search.finalists.retrain import default_model_name
    from search.finalists.training_images import training_images
    from search.launching.launch import check_tracking_there
    from search.results.leaderboard import counts
    from search.results.summary import summarise
    from search.study.opening import check_idle
    from search.study.records import Outcome

    paths = {} if data_dir is None else {"paths": {"data": str(data_dir.absolute())}}
    if model_name is not None:
        check_model_name(model_name)
    with waiting("reading the sweep, and looking at its data"):
        summary = to_repeat_here(summarise(name, sweeps_dir), {**given, **paths})
    check_idle(summary.config)
    if "tracking_uri" not in given:
        check_tracking_there(summary.config)
    there = counts(summary.records)
    if left := there[Outcome.RUNNING] + there[Outcome.FROZEN]:
        err.print(
            f"{left} of its trials are unfinished and do not count: "
            f"`{command('resume_sweep.py', summary.config)}` ends them first"
        )
    finalists = choose_finalists(summary, top, trial)
    if trial is None and len(finalists) < top:
        err.print(f"finalists: only {len(finalists)} distinct configurations completed, not {top}")
    return retrain_and_print(
        summary,
        finalists,
        confirmations=0 if len(finalists) == seeds == 1 else len(finalists) * seeds,
        seeds=seeds,
        sure=sure,
        max_epochs=max_epochs,
        all_data=data,
        images=training_images(summary.config, train_size),
        model_name=model_name or default_model_name(summary.config),
        test_again=test_again,
    )


if __name__ == "__main__":
    cli.main(app)
