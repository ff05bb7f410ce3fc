"""How a sweep's cost per trial and its driver's memory grow with the number of trials.

    uv run python -m benchmarks.growth --trials 10000 --out growth.json
    uv run python -m benchmarks.growth --trials 10000 --sampler curves --pruner promotion

The objective does nothing but save a checkpoint of a few bytes and report, so what is measured is the
orchestration: study, checkpoints, MLflow, Ray. A trial that is frozen and thawed has several attempts.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optuna.distributions import FloatDistribution, IntDistribution

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.objective.context import TrialContext
from search.objective.reference import objective_reference
from search.study.records import TrialRecord
from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="nothing",
    description="The mission's three parameters, for an objective that ignores them.",
    parameters={
        "depth": IntDistribution(1, 5),
        "width": IntDistribution(8, 128, step=8),
        "lr": FloatDistribution(1e-4, 1.0, log=True),
    },
)


def nothing(params: Mapping[str, Any], context: TrialContext) -> None:
    """Report the epochs that are left, at once, each with a checkpoint, as a training does that can go on."""
    model = context.scratch / "model"
    model.mkdir()
    for epoch in range(context.epochs_done + 1, context.max_epochs + 1):
        (model / "weights").write_bytes(b"weights")
        context.report(epoch, {"val_acc": epoch / 10 + params["lr"] / 100}, model)


class Moment(NamedTuple):
    """How far a sweep has come, and at what cost."""

    trials: int  # that have ended, or were frozen once
    attempts: int  # how often a trial was given to a worker
    clock: float
    cpu: float  # of the driver, in seconds

    def since(self, before: Moment) -> dict[str, float]:
        """What it cost from another moment on, in milliseconds."""
        trials, took = self.trials - before.trials, 1000 * (self.clock - before.clock)
        return {
            "trials": self.trials,
            "ms_a_trial": took / trials,
            "ms_an_attempt": took / (self.attempts - before.attempts),
            "driver_cpu_ms_a_trial": 1000 * (self.cpu - before.cpu) / trials,
            "resident_mb": _resident_mb(),
        }


class Milestones:
    """Notes time and the driver's resident memory each time so many more trials have ended, or are frozen."""

    def __init__(self, every: int) -> None:
        self.rows: list[dict[str, float]] = []
        self._every = every
        self._tried: set[int] = set()
        self._attempts: dict[int, int] = {}
        self._opened = self._newest = self._now()

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Begin to measure when the sweep begins."""
        self._opened = self._newest = self._now()

    def trial_changed(self, record: TrialRecord) -> None:
        """Count trials that have ended, or are frozen for the first time."""
        self._attempts[record.number] = max(1, len(record.hand_outs))
        if record.number in self._tried or not (record.state.is_finished() or record.frozen):
            return
        self._tried.add(record.number)
        if len(self._tried) % self._every == 0:
            now = self._now()
            self.rows.append(now.since(self._newest))
            self._newest = now
            print(_told(self.rows[-1]), file=sys.stderr, flush=True)

    def whole(self) -> tuple[dict[str, float], float]:
        """The sweep from its beginning until now, and how many attempts a trial had."""
        now = self._now()
        return now.since(self._opened), now.attempts / now.trials

    def _now(self) -> Moment:
        attempts = sum(self._attempts.values())
        return Moment(len(self._tried), attempts, time.monotonic(), time.process_time())


def main() -> None:
    """Run one sweep and print its milestones."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--pruner", default="none", help="promotion freezes the trials at epochs 1 and 3")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    milestones = Milestones(arguments.every)
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        config = SweepConfig(
            name="growth",
            space=SPACE,
            objective=objective_reference(nothing),
            max_epochs=5,
            trials=arguments.trials,
            sampler=arguments.sampler,
            pruner=arguments.pruner,
            sweeps_dir=Path(folder, "sweeps"),
            tracking_uri=f"sqlite:///{folder}/mlflow.db",
        )
        result = run_sweep(config, nothing, progress=False, observers=[milestones])
        whole, attempts = milestones.whole()
        kilobytes = {
            file.stem: _kilobytes(file) for file in (config.folder / "study.db", Path(folder, "mlflow.db"))
        }
    trials = len(result.records)
    print(
        f"{trials} trials, {attempts:.2f} attempts each, in {result.seconds:.0f} s; "
        f"view: {result.view_missing or 'exact'}; "
        + ", ".join(f"{name} {size / trials:.1f} kB a trial" for name, size in kilobytes.items())
    )
    print(f"with the end: {_told(whole)}")
    if arguments.out:
        report = {"rows": milestones.rows, "whole": whole, "attempts": attempts, "kilobytes": kilobytes}
        arguments.out.write_text(json.dumps(report, indent=1))


def _told(row: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:,.1f}" for name, value in row.items())


def _kilobytes(database: Path) -> float:
    """What a SQLite database takes on disk, its log included."""
    return sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*")) / 1000


def _resident_mb() -> float:
    """This process's resident memory now, where the system tells; else its peak."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
