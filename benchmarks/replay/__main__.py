"""Search methods compared on recorded learning curves, in simulated time.

    uv run --with onnxruntime python -m benchmarks.replay --curves FOLDER --methods random gp --seeds 30

The folder holds tables (`*/*.npz`; `benchmarks.record_curves` makes one of this project's network) and may
hold LCBench's surrogate. Runs are kept under --results and not made again. Methods that begin with `syne
tune:` need `uv run --with syne-tune==0.16.0`. Regret is normalised (0: the best known, 1: a random
configuration after one epoch), times 1000.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.replay import scores
from benchmarks.replay.methods import METHODS
from benchmarks.replay.runs import Job, Setting, make_missing, task_names
from benchmarks.replay.tasks import RANDOM_CONFIGURATIONS

KINDS = ("complete", "seen", "end")  # of regret; see `scores.score`


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs that are not there yet, and print a table for each kind of regret."""
    options = _parser().parse_args(arguments)
    setting = Setting(options.curves, options.results, options.workers, options.trainings, options.epochs)
    tasks = task_names(options.curves, options.part)
    if not tasks:
        sys.exit(f"no {options.part} curves in {options.curves}: give --curves a folder with */*.npz")
    methods = list(dict.fromkeys([options.base, *options.methods]))
    # Seed after seed, so that a table of fewer seeds can be had from a run that is interrupted.
    seeds = range(options.seeds)
    jobs = [Job(method, task, seed) for seed in seeds for task in tasks for method in methods]
    make_missing(setting, jobs, options.processes)
    stored = {
        method: [[setting.stored(Job(method, task, seed)) for seed in seeds] for task in tasks]
        for method in methods
    }
    for kind in KINDS:
        table = _table(stored, options.base, kind, setting.trainings)
        print(f"\n{kind}: {len(tasks)} tasks, {len(seeds)} seeds, {setting.workers} workers, ", end="")
        print(f"{setting.trainings:g} trainings", *table, sep="\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "benchmarks.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--curves", type=Path, required=True, help="folder of recorded curves")
    parser.add_argument("--part", default="all", help="all, tables, even or odd (of LCBench), or a task")
    parser.add_argument("--methods", nargs="+", default=["random"], choices=METHODS, metavar="NAME")
    parser.add_argument("--base", default="default", help="method that the others are compared with")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int, default=4, help="trials at a time")
    parser.add_argument("--trainings", type=float, default=20, help="budget in whole trainings")
    parser.add_argument("--epochs", type=int, help="of a whole training; by default all that were recorded")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir(), "replay"))
    return parser


def _table(
    stored: dict[str, list[list[dict[str, object]]]], base: str, kind: str, trainings: float
) -> Iterator[str]:
    """A kind of regret, a line a method."""

    def of(method: str, key: str) -> scores.Regrets:
        return np.array([[run[key] for run in row] for row in stored[method]], np.float64)

    regrets = {method: of(method, kind) for method in stored}
    ranks = {point: scores.mean_ranks(regrets, point) for point in scores.POINTS}
    points = [f"{point}%" for point in scores.POINTS]
    heads = ["method", *points, *(f"{p} of the time" for p in points), *(f"rank {p}" for p in points)]
    heads += [f"budget to {base}'s end", "difference [95%]", "worse on"]
    heads += [f"trainings to the best of {RANDOM_CONFIGURATIONS} random", "trials", "ms a decision: 50%, 99%"]
    goal = of(base, kind).mean(1)[:, -1]
    random_end = of(base, "random_end")[:, 0]
    yield _row(heads)
    yield _row(["---"] * len(heads))
    for method, ours in regrets.items():
        by_time = of(method, f"{kind}_s")
        mean, low, high = (1e3 * each for each in scores.difference(ours, regrets[base]))
        median, high_ms = np.median(of(method, "decision_ms"), axis=(0, 1))
        yield _row(
            [
                method,
                *(f"{1e3 * ours[:, :, point - 1].mean():.0f}" for point in scores.POINTS),
                *(f"{1e3 * by_time[:, :, point - 1].mean():.0f}" for point in scores.POINTS),
                *(f"{ranks[point][method]:.2f}" for point in scores.POINTS),
                f"{np.median(scores.budget_to_reach(ours, goal)):.2f}",
                f"{mean:+.0f} [{low:+.0f}, {high:+.0f}]",
                f"{100 * scores.share_worse(ours, regrets[base]):.0f}%",
                f"{trainings * np.median(scores.budget_to_reach(ours, random_end)):.1f}",
                f"{of(method, 'trials').mean():.0f}",
                f"{median:.1f}, {high_ms:.1f}",
            ]
        )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
