"""Prune or fail a trial of a sweep, which may be running.

uv run scripts/stop_trial.py night 7
# it says nothing of its parameters, and may be trained again by `resume_sweep.py --retry-failed`:
uv run scripts/stop_trial.py night 7 --fail
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts import cli
from scripts.answers import Answer, answers
from scripts.documents.sweeps import Stopped

app = cli.app(__file__, __doc__)


@app.default
@answers
def stop(
    name: cli.SweepName,
    trial: Annotated[int, Parameter(name="TRIAL", help="Number of the trial.")],
    /,
    *,
    fail: Annotated[cli.Flag, Parameter(help="End it as failed: samplers learn nothing from it.")] = False,
    sweeps_dir: cli.SweepsDir = Path("sweeps"),
) -> Answer:
    """End a trial that runs, is frozen or waits: it keeps its epochs, and is not trained any further.

    It is pruned, so that samplers learn from it. The driver of a running sweep stops the trial's worker when
    the epoch under way ends, and gives it another trial. One that no worker has taken yet has failed.
    """
    from scripts.consoles import out
    from search.study.records import trial_key

    ended = stopped(name, trial, fail, sweeps_dir)

    def show() -> None:
        done = f"{trial_key(trial)} {ended.trial.state} at {ended.trial.epochs}/{ended.max_epochs}"
        if ended.driver is None:
            out.print(f"{done}; nobody drives the sweep, and a resume leaves it as it is")
        else:
            out.print(f"{done}; the driver on {ended.driver} stops its worker when the epoch under way ends")

    return Answer(lambda: ended, show)


def stopped(name: str, trial: int, fail: bool, sweeps_dir: Path) -> Stopped:
    """End a trial of a sweep, pruned or failed; what is told of it."""
    from search.config.sweep_config import SweepConfig
    from search.results.summary import trial_json
    from search.study.stopping import stop_trial

    config = SweepConfig.load(name, sweeps_dir)
    record, driver = stop_trial(config, trial, fail=fail)
    plain = {
        "sweep": name,
        "trial": trial_json(record, config.metric),
        "max_epochs": config.max_epochs,
        "driver": driver,
    }
    return Stopped.model_validate(plain)


if __name__ == "__main__":
    cli.main(app)
