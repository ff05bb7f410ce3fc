"""What two search methods find in the same seconds, in real sweeps of this project's network.

    uv run benchmarks/same_seconds.py --data-dir images --seeds 6 --out same_seconds.json

For each seed a sweep with the methods of a budget in epochs (curves with promotion) runs to its end. Then one
with the methods of a size in trials (TPE with Hyperband) gets as many trials as it likes, and as many seconds
as the first has taken. What counts is the best trial that trained to its end, by its accuracy on the
validation images, which are the same for all. Sweeps run one trial at a time; where several processes of this
benchmark share a machine, give each its own cores and seeds (`taskset -c 0 ... --seeds 0 2 4`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import FloatDistribution, IntDistribution
from scipy import stats

from cifar_cnn.config import DataConfig
from cifar_cnn.files import write_atomically
from search.cifar.sweep import OBJECTIVE, dataset_note
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="seconds",
    description="Networks that a core trains in a second an epoch.",
    parameters={
        "depth": IntDistribution(1, 3),
        "width": IntDistribution(8, 24, step=8),
        "lr": FloatDistribution(1e-3, 1.0, log=True),
        "weight_decay": FloatDistribution(1e-5, 1e-1, log=True),
        "batch_size": IntDistribution(32, 256, log=True),
    },
    fixed={"optimizer": "sgd", "momentum": 0.9},
)
BEFORE, NOW = "in trials", "in epochs"
_ENOUGH_TRIALS = 1000  # never reached


def main() -> None:
    """Run the pairs that are not in --out yet, and print each and their mean difference."""
    options = _parser().parse_args()
    pairs: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    for seed in options.seeds:
        if str(seed) not in pairs:
            pairs[str(seed)] = _pair(options, seed)
            write_atomically(options.out, json.dumps(pairs, indent=1))
        print(seed, pairs[str(seed)], file=sys.stderr, flush=True)
    gains = [pair[NOW]["best"] - pair[BEFORE]["best"] for pair in pairs.values()]
    mean, half = np.mean(gains), stats.sem(gains) * stats.t.ppf(0.975, len(gains) - 1)
    print(f"n = {len(gains)}, best val_acc, {NOW} over {BEFORE}: {mean:+.4f} [{mean - half:+.4f}, ", end="")
    print(f"{mean + half:+.4f}] (95%, Student's t over pairs)")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True, help="train/<class>/ and test/<class>/")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)))
    parser.add_argument("--budget", default="8x", help="of the first sweep of each pair")
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--train-size", type=int, default=2000)
    parser.add_argument("--val-size", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    return parser


def _pair(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    now = _run(options, seed, budget=options.budget)
    before = _run(options, seed, trials=_ENOUGH_TRIALS, time_budget=now.seconds)
    return {BEFORE: _found(before), NOW: _found(now)}


def _run(options: argparse.Namespace, seed: int, **size: Any) -> SweepResult:
    data = DataConfig(
        dataset="folder", data_dir=options.data_dir, train_size=options.train_size, val_size=options.val_size
    )
    with tempfile.TemporaryDirectory(prefix="seconds-") as folder:
        config = SweepConfig(
            name="seconds",
            space=SPACE,
            objective=OBJECTIVE,
            settings={
                "data": data.model_dump(mode="json", exclude={"data_dir", "cache_dir", "skip_damaged"})
            },
            paths={"data": str(data.data_dir)},
            dataset=dataset_note(data),
            max_epochs=options.epochs,
            seed=seed,
            cpus_per_trial=1.0,
            gpus_per_trial=0.0,
            concurrency=1,
            sweeps_dir=Path(folder) / "sweeps",
            tracking_uri=f"sqlite:///{folder}/mlflow.db",
            **size,
        )
        return run_sweep(config)


def _found(result: SweepResult) -> dict[str, Any]:
    return {
        "best": result.best.value if result.best else 0.0,
        "methods": f"{result.config.sampler}, {result.config.pruner}",
        "seconds": round(result.seconds, 1),
        "epochs": sum(len(record.epochs) for record in result.records),
        "trials": len(result.records),
        "complete": len(result.leaderboard),
        "stop": result.stop and result.stop.value,
    }


if __name__ == "__main__":
    main()
