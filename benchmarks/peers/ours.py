"""This project: the sweep that `scripts/launch_sweep.py` runs, with everything on, and the stopwatch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.work import FIXED, PARAMETERS, Stopwatch, Work
from search.cifar.objective import train_trial
from search.cifar.sweep import dataset_note
from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.objective.context import Steps, TrialContext
from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="peers", description="The work of the benchmarks.", parameters=PARAMETERS, fixed=FIXED
)


def watched_trial(params: Mapping[str, Any], context: TrialContext) -> None:
    """The objective of the sweep, timed."""
    import cifar_cnn.module  # noqa: F401  # as for the others, a trial's time begins after the imports

    sampled = {name: params[name] for name in PARAMETERS}
    watch, report = Stopwatch(Work(**context.settings["work"]), sampled), context.on_report

    def timed(epoch: int, metrics: Mapping[str, float], checkpoint: Path | None, steps: Steps) -> None:
        watch.epoch_ended()
        report(epoch, metrics, checkpoint, steps)

    context.on_report = timed
    train_trial(params, context)


def main(work: Work) -> None:
    """The sweep."""
    config = SweepConfig(
        name="ours",
        space=SPACE,
        objective="benchmarks.peers.ours:watched_trial",
        settings={"data": work.data.model_dump(mode="json", exclude={"data_dir"}), "work": vars(work)},
        paths={"data": work.data_dir},
        dataset=dataset_note(work.data),
        trials=work.trials,
        max_epochs=work.epochs,
        seed=work.seed,
        pruner="asha",
        cpus_per_trial=1.0,
        concurrency=work.slots,
        sweeps_dir=Path(work.folder) / "sweeps",
        tracking_uri=f"sqlite:///{work.folder}/mlflow.db",
    )
    result = run_sweep(config, progress=False)
    assert result.succeeded, result.stop
    errors = [record.error for record in result.records if record.error]
    assert not errors, errors


if __name__ == "__main__":
    main(Work.loads(sys.argv[1]))
