"""What a decision costs when a sweep has many trials: the time to choose what a free slot does.

    uv run python -m benchmarks.decisions --methods default auto --trials 2000

Sweeps are replayed on made-up curves until they have that many trials; counted are the decisions of the last
tenth. A decision is the dispatcher's, with the ask, the model's fit where one is due, and what is written to
a study in memory; a report is that of one epoch. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna

from benchmarks.replay.made_up import MadeUp
from benchmarks.replay.methods import METHODS
from benchmarks.replay.simulation import Method, Setup, Sweep, Work, simulate


@dataclass(frozen=True)
class Limited:
    """A method whose sweeps end when they have so many trials.

    Args:
        method: the method.
        trials: how many.
        times: gets the milliseconds of each decision, by how many trials there were.
        reports: likewise of each report.
    """

    method: Method
    trials: int
    times: list[tuple[int, float]]
    reports: list[tuple[int, float]]

    def begin(self, setup: Setup) -> Sweep:
        """A new sweep."""
        return _LimitedSweep(self, self.method.begin(setup))


class _LimitedSweep:
    def __init__(self, limits: Limited, inner: Sweep) -> None:
        self._limits, self._inner = limits, inner
        self._trials = 0

    def next(self) -> Work | None:
        if self._trials >= self._limits.trials:
            return None
        before = time.thread_time()
        work = self._inner.next()
        self._limits.times.append((self._trials, 1e3 * (time.thread_time() - before)))
        if work is not None:
            self._trials = max(self._trials, work.number + 1)
        return work

    def report(self, number: int, epoch: int, value: float, seconds: float) -> bool:
        before = time.thread_time()
        goes_on = self._inner.report(number, epoch, value, seconds)
        self._limits.reports.append((self._trials, 1e3 * (time.thread_time() - before)))
        return goes_on


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay each method and print a line for it."""
    options = _parser().parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(
        f"{options.trials} trials of {options.epochs} epochs, {options.parameters} parameters; milliseconds"
    )
    print("| method | a decision: median | 99% | largest | decisions | a report: median | 99% |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in options.methods:
        times: list[tuple[int, float]] = []
        reports: list[tuple[int, float]] = []
        method = Limited(METHODS[name], options.trials, times, reports)
        with tempfile.TemporaryDirectory(prefix="decisions-") as folder:
            simulate(
                MadeUp(options.parameters, options.epochs),
                method,
                workers=options.workers,
                trainings=options.trials,  # more than they use
                seed=0,
                folder=Path(folder),
            )
        late = 0.9 * options.trials
        decided = np.array([took for trials, took in times if trials >= late])
        reported = np.array([took for trials, took in reports if trials >= late])
        cells = [*np.quantile(decided, (0.5, 0.99, 1.0)), *np.quantile(reported, (0.5, 0.99))]
        texts = [f"{cell:.1f}" for cell in cells]
        print(f"| {name} | {' | '.join([*texts[:3], str(len(decided)), *texts[3:]])} |", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=["default"], choices=METHODS, metavar="NAME")
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--parameters", type=int, default=8)
    parser.add_argument("--workers", type=int, default=4)
    return parser


if __name__ == "__main__":
    main()
