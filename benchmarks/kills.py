"""Kill drivers and workers of real sweeps again and again, resume them, and count what was lost or doubled.

    uv run benchmarks/kills.py --kills 200 --out kills.json      # about half an hour on two quiet cores

Every sweep is killed several times in a row, at a named fail point or at a random moment (of a resume
as much as of a launch), and run to its end after that. Then the study, the epochs that were trained, every
decision and every point in MLflow are counted. `checkpoint` is a fail point in a worker, all others are the
driver's. Sweeps with one worker and with two take turns, and so do the default methods: TPE with ASHA or
Hyperband, where the size is in trials, and curves with promotion, where it is in epochs. A pruner's decision
is right if one that is shown the same reports in the same order decides so. A sweep with one worker has to
end as one that nobody disturbs, each hand-out of a trial and its reason included.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import logging
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.trial import TrialState

from benchmarks.kill_objective import SPACE, begun, learn
from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.objective.reference import objective_reference
from search.policy.pruners import make_pruner
from search.results.summary import summarise
from search.study.database import opened_storage
from search.study.failpoints import FAIL_POINTS
from search.study.optuna_private import storage_id
from search.study.records import TrialRecord
from search.tracking.repair.view_repair import sync_view
from search.tracking.store import TrackingStore

TRIALS = 8
TRAINING_S = 0.4  # of a trial that is not pruned
KILLS_A_SWEEP = 10
LONGEST_RUN_S = 180.0  # a driver that takes longer hangs
RANDOM = "random moment"
# The rows are numbered as they are committed, and a repeated report changes nothing.
_REPORTS = (
    "SELECT trial_id, step, intermediate_value FROM trial_intermediate_values "
    "ORDER BY trial_intermediate_value_id"
)
IN_WORKER = ("checkpoint.before", "checkpoint.after")
OF_FREEZING = tuple(point for point in FAIL_POINTS if point.startswith(("freeze", "thaw")))
# No sweep here has so many frozen trials that a checkpoint is dropped, which has its price in epochs.
POINTS = tuple(point for point in FAIL_POINTS if not point.startswith("drop"))


@dataclass(frozen=True)
class Shape:
    """What is killed: how many workers, how long a trial is, and the budget where trials are frozen."""

    slots: int
    epochs: int
    trainings: int | None = None


SHAPES = (Shape(1, 4), Shape(2, 27, 8), Shape(2, 4), Shape(1, 27, 8), Shape(1, 27), Shape(2, 27))


@dataclass
class Count:
    """What a kind of kill did, over all its kills."""

    kills: int = 0
    finished_epochs_trained_again: int = 0  # must stay 0
    epochs_trained_twice: int = 0  # in flight at the kill
    most_after_one_kill: int = 0  # of those; at most one for each running trial


@dataclass
class Outcome:
    """What the sweeps ended with; all of it but what is counted must stay 0."""

    sweeps: int = 0
    trials: int = 0
    trials_lost: int = 0  # missing, too many, or with a gap in their epochs
    decisions: int = 0  # of pruners, to go on or to prune
    decisions_wrong: int = 0  # lost, made twice, or other than the reports before them say
    hand_outs: int = 0  # decisions to begin or to thaw a trial
    unlike_undisturbed: int = 0  # trials of sweeps with one worker, in parameters, hand-outs, state or epochs
    zombies: int = 0  # trials RUNNING at the end
    mlflow_duplicates: int = 0  # second runs of a trial
    mlflow_repairs: int = 0  # runs or points that are missing or differ


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
    counts: dict[str, Count] = collections.defaultdict(Count)
    outcome = Outcome()
    for done in stress(arguments.kills, random.Random(arguments.seed), counts, outcome):
        print(f"{done} of {arguments.kills} kills", file=sys.stderr, flush=True)
        if arguments.out:
            report = {"kills": {kind: asdict(count) for kind, count in sorted(counts.items())}}
            arguments.out.write_text(json.dumps({**report, "sweeps": asdict(outcome)}, indent=1))
    for kind, count in sorted(counts.items()):
        print(f"{kind:<20} " + "  ".join(f"{name} {value}" for name, value in asdict(count).items()))
    print("  ".join(f"{name} {value}" for name, value in asdict(outcome).items()))


def stress(kills: int, chance: random.Random, counts: dict[str, Count], outcome: Outcome) -> Iterator[int]:
    """Kill so many times, in sweeps of `KILLS_A_SWEEP`; gives the kills done after each sweep."""
    kinds = [*POINTS, *[RANDOM] * (len(POINTS) // 2)]
    done = 0
    for shape in itertools.cycle(SHAPES):
        plan = [kind for kind in kinds if shape.trainings or kind not in OF_FREEZING]
        part = chance.sample(plan, min(KILLS_A_SWEEP, kills - done))
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            done += _one_sweep(Path(folder), shape, part, chance, counts, outcome)
        yield done
        if done == kills:
            return


def _one_sweep(
    folder: Path,
    shape: Shape,
    kinds: list[str],
    chance: random.Random,
    counts: dict[str, Count],
    outcome: Outcome,
) -> int:
    config = _config(folder, shape)
    planned, log = folder / "sweep-plan.json", folder / "epochs.log"
    planned.write_text(config.model_dump_json())
    kills: list[tuple[str, int, set[tuple[int, int]]]] = []  # kind, epochs begun and epochs known at each
    for kind in kinds:
        killed = _run_and_kill(planned, kind, folder, chance)
        if shape.trainings and not killed:
            break  # done before it came to that; it may not grow, for its size is what decisions go by
        while not killed:  # likewise: let it grow
            config = config.model_copy(update={"trials": config.most_trials + TRIALS})
            planned.write_text(config.model_dump_json())
            assert config.most_trials < 100 * TRIALS, f"no driver ever comes to {kind}"
            killed = _run_and_kill(planned, kind, folder, chance)
        # A driver goes on by itself after the death of a worker: what counts is the moment of that.
        died = (folder / "died").stat().st_mtime if kind in IN_WORKER else math.inf
        kills.append((kind, len(begun(log, died)), _known_epochs(config, died)))
    _run(planned, {})
    _count_epochs(begun(log), kills, counts)
    _count_sweep(config, outcome)
    if shape.slots == 1:
        undisturbed = config.model_copy(update={"sweeps_dir": folder / "undisturbed"})
        planned.write_text(undisturbed.model_dump_json())
        _run(planned, {})
        ends = itertools.zip_longest(_ends(config), _ends(undisturbed))
        outcome.unlike_undisturbed += sum(one != other for one, other in ends)
    return len(kills)


def _count_epochs(
    epochs: list[tuple[int, int]],
    kills: list[tuple[str, int, set[tuple[int, int]]]],
    counts: dict[str, Count],
) -> None:
    """Put each epoch that began a second time down to the kill before it."""
    for position, (kind, begins, known) in enumerate(kills):
        ends = kills[position + 1][1] if position + 1 < len(kills) else len(epochs)
        seen = set(epochs[:begins])
        twice = 0
        for epoch in epochs[begins:ends]:
            twice += epoch in seen
            seen.add(epoch)
        count = counts[kind]
        count.kills += 1
        count.epochs_trained_twice += twice
        count.most_after_one_kill = max(count.most_after_one_kill, twice)
        count.finished_epochs_trained_again += sum(epoch in known for epoch in epochs[begins:])


def _count_sweep(config: SweepConfig, outcome: Outcome) -> None:
    summary = summarise(config.name, config.sweeps_dir)
    records = summary.records
    outcome.sweeps += 1
    outcome.trials += len(records)
    outcome.hand_outs += sum(len(record.hand_outs) for record in records)
    outcome.zombies += sum(not record.state.is_finished() for record in records)
    wanted = len(records) if config.budget_epochs else config.most_trials
    missing = set(range(wanted)) ^ {record.number for record in records}
    outcome.trials_lost += len(missing) + sum(_has_gap(record) for record in records)
    decisions = judged_again(config)
    outcome.decisions += len(decisions)
    outcome.decisions_wrong += sum(not right for right in decisions)
    store = TrackingStore(config.tracking_uri, config.experiment)
    repairs = sync_view(store, config, summary.sweep_id, records)
    outcome.mlflow_duplicates += repairs.duplicates
    outcome.mlflow_repairs += repairs.created + repairs.completed + repairs.replaced


def _run_and_kill(planned: Path, kind: str, folder: Path, chance: random.Random) -> bool:
    """Run a driver until it is killed in this way; False if it ended before."""
    if kind == RANDOM:
        return _kill_at_random(planned, folder / "epochs.log", chance)
    marker = folder / "died"
    marker.unlink(missing_ok=True)
    times = chance.randint(1, 3)
    code = _run(planned, {"SWEEP_FAIL_POINT": f"{kind}:{times}", "SWEEP_FAIL_ONCE": str(marker)})
    return code == -signal.SIGKILL or marker.exists()


def _kill_at_random(planned: Path, log: Path, chance: random.Random) -> bool:
    """Every third while the driver starts, the others while it trains; False if it ended before."""
    before, delay = len(begun(log)), chance.uniform(0, 4)
    starting = chance.random() < 1 / 3
    with _start(planned, {}) as driver:
        give_up = time.monotonic() + LONGEST_RUN_S
        while not starting and len(begun(log)) == before and driver.poll() is None:
            assert time.monotonic() < give_up, "the driver hangs"
            time.sleep(0.02)
        try:
            driver.communicate(timeout=2 * delay if starting else delay)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.communicate()
    return driver.returncode == -signal.SIGKILL


def _start(planned: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__)), "--drive", str(planned)]
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)


def _run(planned: Path, environment: dict[str, str]) -> int:
    with _start(planned, environment) as driver:
        try:
            _, errors = driver.communicate(timeout=LONGEST_RUN_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            raise
    assert driver.returncode in (0, -signal.SIGKILL), errors
    return driver.returncode


def judged_again(config: SweepConfig) -> list[bool]:
    """Whether each decision of a sweep's pruner is what the reports up to it lead to, in their order."""
    with opened_storage(config.storage_url) as storage:
        trials = {storage_id(trial): trial for trial in storage.get_all_trials(1, deepcopy=False)}
        with storage.engine.connect() as connection:
            reports = connection.execute(sqlalchemy.text(_REPORTS)).all()
    pruner = make_pruner(config.pruner, config.max_epochs, config.goal, config.pruner_args)
    study = optuna.create_study(study_name=config.name, direction=config.direction, pruner=pruner)
    replayed = {trial_id: study.ask() for trial_id in sorted(trials)}
    right = []
    for trial_id, epoch, value in reports:
        replayed[trial_id].report(value, epoch)
        if epoch < config.max_epochs and config.pruner != "promotion":
            trial = trials[trial_id]
            pruned = trial.state is TrialState.PRUNED and epoch == trial.last_step
            right.append(replayed[trial_id].should_prune() == pruned)
    return right


def _ends(config: SweepConfig) -> list[tuple[object, ...]]:
    records = summarise(config.name, config.sweeps_dir).records
    return [(r.params, r.state, len(r.epochs), r.value, r.hand_outs, r.stop_reason) for r in records]


def _config(folder: Path, shape: Shape) -> SweepConfig:
    return SweepConfig(
        name="kills",
        space=SPACE,
        objective=objective_reference(learn),
        settings={"log": str(folder / "epochs.log"), "epoch_s": TRAINING_S / shape.epochs},
        max_epochs=shape.epochs,
        **_method(shape),
        concurrency=shape.slots,
        keep_checkpoints=1,
        max_attempts=100,  # a worker is killed again and again here
        sweeps_dir=folder / "sweeps",
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
    )


def _method(shape: Shape) -> dict[str, Any]:
    """By name where trials are frozen: of a space as small as this one `auto` would choose otherwise."""
    if shape.trainings is None:
        return {"trials": TRIALS}
    return {"budget": f"{shape.trainings}x", "sampler": "curves", "pruner": "promotion"}


def _known_epochs(config: SweepConfig, before: float) -> set[tuple[int, int]]:
    """The epochs that the study holds and that were reported before that time, as (trial, epoch)."""
    if not _has_study(config):  # killed before that
        return set()
    records = summarise(config.name, config.sweeps_dir).records
    epochs = ((record.number, epoch) for record in records for epoch in record.epochs)
    return {(number, epoch.epoch) for number, epoch in epochs if epoch.timestamp_ms < 1000 * before}


def _has_study(config: SweepConfig) -> bool:
    if not (config.folder / "study.db").exists():
        return False
    with opened_storage(config.storage_url) as storage:
        # A study is written with its `sweep_id` as the second step.
        return any("sweep_id" in study.user_attrs for study in optuna.get_all_study_summaries(storage))


def _has_gap(record: TrialRecord) -> bool:
    return [epoch.epoch for epoch in record.epochs] != list(range(1, len(record.epochs) + 1))


def drive(planned: Path) -> None:
    """Be the driver that is killed."""
    logging.basicConfig(level=logging.ERROR)
    config = SweepConfig.model_validate_json(planned.read_text())
    result = run_sweep(config, progress=False)
    sys.exit(0 if result.succeeded else f"{result.stop}, {result.view_missing}")


if __name__ == "__main__":
    main()
