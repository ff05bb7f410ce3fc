"""Records learning curves of this project's network on real images, for `benchmarks.replay`.

    nice python -m benchmarks.record_curves --data-dir images --folder curves/cifar

A sweep without pruning trains every configuration to its end, one at a time on one core; a second one trains
the first few again with other seeds. Both go on where they were when the command is given again. The table
is written to FOLDER/cnn.npz: `u` (n, parameters), places in their ranges from 0 to 1; `curves` (n, epochs),
error rates, NaN from where a training diverged; `seconds` (n) of an epoch; `again` (m, epochs), the curves of
the first m configurations with other seeds. FOLDER/cnn.json holds the ranges, as Optuna's JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution, IntDistribution

from benchmarks.replay.tasks import Range, unit
from cifar_cnn.config import DataConfig
from search.cifar.sweep import OBJECTIVE, dataset_note
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from search.study.records import Outcome, TrialRecord
from spaces.ranges import to_json
from spaces.space import SearchSpace

# Widths that a core trains hundreds of; the ranges of lr and decay fail at both ends.
RANGES: dict[str, Range] = {
    "depth": IntDistribution(1, 4),
    "width": IntDistribution(4, 12, step=4),
    "lr": FloatDistribution(1e-3, 1.0, log=True),
    "weight_decay": FloatDistribution(1e-5, 1e-1, log=True),
    "batch_size": IntDistribution(32, 256, log=True),
}
SPACE = SearchSpace(
    name="curves",
    description="Networks that a core trains in seconds, from useless to good.",
    parameters=RANGES,
    fixed={"optimizer": "sgd", "momentum": 0.9},
)
SECOND_SEED = 10_000  # of the trainings done again; trial n of a sweep trains with seed + n


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both sweeps to their ends and write the table."""
    options = _parser().parse_args(arguments)
    data = DataConfig(
        dataset="folder", data_dir=options.data_dir, train_size=options.train_size, val_size=options.val_size
    )
    first = _run(options, data, "once", trials=options.configurations, sampler="qmc")
    repeated = [dict(record.params) for record in first.records[: options.again]]
    second = _run(options, data, "again", trials=options.again, seed=SECOND_SEED, enqueue=repeated)
    write_table(options.folder, first.records, second.records, options.epochs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="train/<class>/ and test/<class>/")
    parser.add_argument("--folder", type=Path, required=True, help="for the table and the sweeps")
    parser.add_argument("--configurations", type=int, default=320)
    parser.add_argument("--again", type=int, default=32, help="configurations trained with a second seed")
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--train-size", type=int, default=1000)
    parser.add_argument("--val-size", type=int, default=600)
    return parser


def _run(options: argparse.Namespace, data: DataConfig, name: str, **fields: Any) -> SweepResult:
    """One of the sweeps, from wherever it stands.

    Raises:
        SystemExit: it was stopped, or trainings failed.
    """
    config = SweepConfig(
        name=name,
        space=SPACE,
        objective=OBJECTIVE,
        settings={"data": data.model_dump(mode="json", exclude={"data_dir", "cache_dir", "skip_damaged"})},
        paths={"data": str(data.data_dir)},
        dataset=dataset_note(data),
        max_epochs=options.epochs,
        pruner="none",
        cpus_per_trial=1.0,
        gpus_per_trial=0.0,
        concurrency=1,
        sweeps_dir=options.folder / "sweeps",
        tracking_uri=f"sqlite:///{options.folder.absolute() / 'mlflow.db'}",
        **fields,
    )
    result = run_sweep(config)
    failed = [record.key for record in result.records if record.outcome is Outcome.FAILED]
    if result.stop or failed:
        sys.exit(f"{name}: stopped by {result.stop}, failed: {failed}; give the command again to go on")
    return result


def write_table(
    folder: Path, first: Sequence[TrialRecord], second: Sequence[TrialRecord], epochs: int
) -> None:
    """Write the trials of both sweeps as one table.

    Args:
        folder: for `cnn.npz` and `cnn.json`.
        first: every configuration.
        second: the first of them again, in the same order.
        epochs: of a whole training.
    """
    places = [[unit(each, record.params[name]) for name, each in RANGES.items()] for record in first]
    # The quickest epoch: what else the machine did has cost the others more.
    seconds = [min(epoch.metrics["epoch_s"] for epoch in record.epochs) for record in first]
    np.savez_compressed(
        folder / "cnn.npz",
        u=np.array(places, np.float32),
        curves=_curves(first, epochs),
        seconds=np.array(seconds, np.float32),
        again=_curves(second, epochs),
    )
    ranges = {name: to_json(each) for name, each in RANGES.items()}
    (folder / "cnn.json").write_text(json.dumps(ranges, indent=1) + "\n")


def _curves(records: Sequence[TrialRecord], epochs: int) -> NDArray[np.float32]:
    curves = np.full((len(records), epochs), np.nan, np.float32)
    for row, record in zip(curves, records, strict=True):
        for epoch in record.epochs:
            row[epoch.epoch - 1] = 1 - epoch.metrics["val_acc"]
    return curves


if __name__ == "__main__":
    main()
