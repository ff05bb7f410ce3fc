"""Kill the driver of real sweeps again and again, resume them, and count what was lost or doubled.

    uv run benchmarks/kills.py --kills 200 --out kills.json      # about half an hour on two cores

Every sweep is killed several times in a row, at a named fail point or at a random moment (of a resume
as much as of a launch), and run to its end after that. Then the study, the epochs that were trained and
every point in MLflow are counted.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.kill_objective import SPACE, begun, learn
from search.comparison import summarise
from search.config import SweepConfig
from search.driver import run_sweep
from search.failpoints import FAIL_POINTS
from search.objective import objective_reference
from search.records import TrialRecord
from search.tracking.store import TrackingStore
from search.tracking.sync import sync_view

TRIALS, EPOCHS, SLOTS = 8, 4, 2
KILLS_A_SWEEP = 10
LONGEST_RUN_S = 180.0  # a driver that takes longer hangs


@dataclass
class Count:
    """What a kind of kill did, over all its kills."""

    kills: int = 0
    trials_lost: int = 0
    finished_epochs_trained_again: int = 0  # must stay 0
    epochs_trained_twice: int = 0  # in flight at the kill; at most one for each running trial
    mlflow_repairs: int = 0  # runs or points missing or doubled after the resume
    zombies: int = 0


def main() -> None:
    """Kill, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the counts as JSON")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)  # the driver that is killed
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments.drive)
        return
    counts = stress(arguments.kills, random.Random(arguments.seed))
    if arguments.out:
        arguments.out.write_text(
            json.dumps({kind: asdict(count) for kind, count in counts.items()}, indent=1)
        )
    for kind, count in sorted(counts.items()):
        print(f"{kind:<20} " + "  ".join(f"{name} {value}" for name, value in asdict(count).items()))


def stress(kills: int, chance: random.Random) -> dict[str, Count]:
    """Kill so many drivers, in sweeps of `KILLS_A_SWEEP`; counts by kind of kill."""
    kinds = [*FAIL_POINTS, *["random moment"] * (len(FAIL_POINTS) // 2)]
    plan: list[str] = []
    while len(plan) < kills:
        plan += chance.sample(kinds, len(kinds))
    counts: dict[str, Count] = collections.defaultdict(Count)
    for start in range(0, kills, KILLS_A_SWEEP):
        part = plan[start : min(start + KILLS_A_SWEEP, kills)]
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            _one_sweep(Path(folder), part, chance, counts)
        print(f"{start + len(part)} of {kills} kills", file=sys.stderr, flush=True)
    return counts


def _one_sweep(folder: Path, kinds: list[str], chance: random.Random, counts: dict[str, Count]) -> None:
    config = _config(folder)
    planned = folder / "sweep-plan.json"
    planned.write_text(config.model_dump_json())
    log = folder / "epochs.log"
    for kind in kinds:
        known, before = _known_epochs(config), len(begun(log))
        if not _run_and_kill(planned, kind, folder, chance):
            config = config.model_copy(update={"trials": config.trials + TRIALS})  # done: let it grow
            planned.write_text(config.model_dump_json())
            continue
        counts[kind].kills += 1
        again = [epoch for epoch in begun(log)[before:] if epoch in known]
        counts[kind].finished_epochs_trained_again += len(again)
    _run(planned, {})
    _count_after(config, log, kinds, counts)


def _count_after(config: SweepConfig, log: Path, kinds: list[str], counts: dict[str, Count]) -> None:
    """Put what is wrong at the end of a sweep down to its last kind of kill."""
    records = summarise(config.name, config.sweeps_dir).records
    count = counts[kinds[-1]]
    count.zombies += sum(not record.state.is_finished() for record in records)
    count.trials_lost += abs(config.trials - len(records)) + sum(_has_gap(record) for record in records)
    twice = sum(times - 1 for times in collections.Counter(begun(log)).values())
    assert twice <= SLOTS * len(kinds), f"{twice} epochs trained twice in {len(kinds)} kills"
    counts["all kinds"].epochs_trained_twice += twice
    summary = summarise(config.name, config.sweeps_dir)
    repairs = sync_view(
        TrackingStore(config.tracking_uri, config.experiment), config, summary.sweep_id, summary.records
    )
    count.mlflow_repairs += sum(asdict(repairs).values())


def _run_and_kill(planned: Path, kind: str, folder: Path, chance: random.Random) -> bool:
    """Run a driver until it is killed in this way; False if it ended before."""
    if kind == "random moment":
        return _run(planned, {}, kill_after=chance.uniform(3, 15)) == -signal.SIGKILL
    marker = folder / "died"
    marker.unlink(missing_ok=True)
    times = chance.randint(1, 3)
    code = _run(planned, {"SWEEP_FAIL_POINT": f"{kind}:{times}", "SWEEP_FAIL_ONCE": str(marker)})
    return code == -signal.SIGKILL or marker.exists()


def _run(planned: Path, environment: dict[str, str], kill_after: float | None = None) -> int:
    command = [sys.executable, str(Path(__file__)), "--drive", str(planned)]
    driver = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)
    try:
        _, errors = driver.communicate(timeout=kill_after or LONGEST_RUN_S)
    except subprocess.TimeoutExpired:
        driver.kill()
        driver.communicate()
        assert kill_after, "the driver hangs"
        return driver.returncode
    assert driver.returncode in (0, -signal.SIGKILL), errors
    return driver.returncode


def _config(folder: Path) -> SweepConfig:
    return SweepConfig(
        name="kills",
        space=SPACE,
        objective=objective_reference(learn),
        settings={"log": str(folder / "epochs.log"), "epoch_s": 0.1},
        max_epochs=EPOCHS,
        trials=TRIALS,
        concurrency=SLOTS,
        pruner="asha",
        keep_checkpoints=1,
        max_attempts=100,  # a worker is killed again and again here
        sweeps_dir=folder / "sweeps",
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
    )


def _known_epochs(config: SweepConfig) -> set[tuple[int, int]]:
    """The epochs that the study holds, as (trial, epoch)."""
    if not config.folder.exists():
        return set()
    with contextlib.suppress(ValueError):  # killed before there was a study
        records = summarise(config.name, config.sweeps_dir).records
        return {(record.number, epoch.epoch) for record in records for epoch in record.epochs}
    return set()


def _has_gap(record: TrialRecord) -> bool:
    return [epoch.epoch for epoch in record.epochs] != list(range(1, len(record.epochs) + 1))


def drive(planned: Path) -> None:
    """Be the driver that is killed."""
    logging.basicConfig(level=logging.ERROR)
    config = SweepConfig.model_validate_json(planned.read_text())
    result = run_sweep(config)
    sys.exit(0 if result.succeeded else f"{result.stop}, {result.view_missing}")


if __name__ == "__main__":
    main()
