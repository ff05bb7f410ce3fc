"""Look closely at a retrained model: per class, its confusions, its calibration, its surest mistakes.

uv run scripts/evaluate_model.py night
# and under noise, blur, darkness, JPEG ...:
uv run scripts/evaluate_model.py night --corruptions
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts import cli
from scripts.answers import Answer, answers

app = cli.app(__file__, __doc__)


@app.default
@cli.stoppable
@answers
def evaluate(
    name: Annotated[str, Parameter(help="Name of the sweep whose best was retrained.")],
    /,
    *,
    corruptions: Annotated[
        cli.Flag, Parameter(help="Evaluate under six corruptions of three strengths too.")
    ] = False,
    figures_dir: Annotated[Path, Parameter(help="Where figures go, in a folder for the sweep.")] = Path(
        "reports/figures"
    ),
    data_dir: Annotated[
        Path | None, Parameter(help="Where the images lie, if not as in the retraining.")
    ] = None,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> Answer:
    """Evaluate a retrained model on the test split again, as `retrain_best.py` has done, and draw it."""
    from scripts.commands import command
    from scripts.consoles import err, out
    from scripts.evaluation_output import EvaluationProgress, evaluation, print_examination
    from search.config.sweep_config import SweepConfig
    from search.errors import TrackingDown
    from search.finalists.examine import examine, log_examination

    sweep = SweepConfig.load(name, sweeps_dir)
    with EvaluationProgress(name) as progress:
        examined = examine(
            sweep, figures_dir / name, corruptions=corruptions, data_dir=data_dir, on_progress=progress
        )
    print_examination(examined)
    out.print(f"figures            {figures_dir / name}")
    missing, mends = None, []
    try:
        if not log_examination(examined):
            mends = [command("sync_mlflow.py", examined.retraining)]
            missing = (
                f"MLflow has no run of {examined.retraining.name}, so the figures are not in it: "
                f"`{mends[0]}` brings it up to date, then run this again"
            )
    except TrackingDown as error:
        missing = f"{error}; the figures are not in MLflow, run the command again to add them"
    if missing is not None:
        err.print(missing)
    return Answer(
        lambda: evaluation(name, examined, missing, mends), code=cli.DONE if missing is None else cli.FAILED
    )


if __name__ == "__main__":
    cli.main(app)
