"""How a sweep's cost per trial and its driver's memory grow with the number of trials.

    uv run benchmarks/growth.py --trials 10000 --out growth.json

The objective does nothing but report, so what is measured is the orchestration: study, MLflow, Ray.
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
from typing import Any

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
    """Report five epochs at once."""
    for epoch in range(1, context.max_epochs + 1):
        context.report(epoch, {"val_acc": epoch / 10 + params["lr"] / 100})


class Milestones:
    """Notes time and the driver's resident memory each time so many more trials have ended, or are frozen."""

    def __init__(self, every: int) -> None:
        self.rows: list[dict[str, float]] = []
        self._every = every
        self._tried: set[int] = set()
        self._since = time.monotonic()

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Begin to measure when the sweep begins."""
        self._since = time.monotonic()

    def trial_changed(self, record: TrialRecord) -> None:
        """Count trials that have ended, or are frozen for the first time."""
        if record.number in self._tried or not (record.state.is_finished() or record.frozen):
            return
        self._tried.add(record.number)
        if len(self._tried) % self._every:
            return
        now = time.monotonic()
        row = {
            "trials": len(self._tried),
            "ms_a_trial": (now - self._since) / self._every * 1000,
            "resident_mb": _resident_mb(),
        }
        self.rows.append(row)
        self._since = now
        print("  ".join(f"{name} {value:,.1f}" for name, value in row.items()), file=sys.stderr, flush=True)


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
        kilobytes = {
            file.stem: _kilobytes(file) for file in (config.folder / "study.db", Path(folder, "mlflow.db"))
        }
    trials = len(result.records)
    print(
        f"{trials} trials in {result.seconds:.0f} s, {trials / result.seconds:.1f} a second, "
        f"view: {result.view_missing or 'exact'}; "
        + ", ".join(f"{name} {size / trials:.1f} kB a trial" for name, size in kilobytes.items())
    )
    if arguments.out:
        report = {"rows": milestones.rows, "seconds": result.seconds, "kilobytes": kilobytes}
        arguments.out.write_text(json.dumps(report, indent=1))


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
