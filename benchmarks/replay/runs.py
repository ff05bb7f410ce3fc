"""Runs of methods on tasks, made by several processes and kept, one file each."""

from __future__ import annotations

import functools
import json
import multiprocessing
import sys
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import optuna

from benchmarks.replay import surrogate
from benchmarks.replay.methods import METHODS
from benchmarks.replay.scores import score
from benchmarks.replay.simulation import simulate
from benchmarks.replay.tables import Table
from benchmarks.replay.tasks import Task
from cifar_cnn.files import write_atomically


class Job(NamedTuple):
    """One run to make."""

    method: str
    task: str
    seed: int


@dataclass(frozen=True)
class Setting:
    """What all runs of a comparison have in common.

    Attributes:
        curves: folder of recorded curves.
        results: folder that runs are kept in.
        workers: trials at a time.
        trainings: budget in whole trainings.
        epochs: of a whole training; None: all that were recorded.
    """

    curves: Path
    results: Path
    workers: int = 4
    trainings: float = 20
    epochs: int | None = None

    def file(self, job: Job) -> Path:
        """Where a run is kept."""
        setting = f"e{self.epochs or 'all'}-w{self.workers}-b{self.trainings:g}"
        return Path(
            self.results,
            setting,
            job.method.replace(": ", "-"),
            f"{job.task.replace(':', '-')}-{job.seed}.json",
        )

    def stored(self, job: Job) -> dict[str, Any]:
        """The scores of a run that was made."""
        scores: dict[str, Any] = json.loads(self.file(job).read_text())
        return scores

    @functools.cache  # noqa: B019  # a few tasks, for as long as the process
    def load(self, name: str) -> Task:
        """The task of that name."""
        family, _, which = name.partition(":")
        if family == "lcbench":
            return surrogate.Surrogate(self.curves, which, self.epochs, cache=self.results / "best")
        return Table(self.curves / family / f"{which}.npz", self.epochs)


def task_names(curves: Path, part: str) -> list[str]:
    """The tasks of a part of a folder: `all`, `tables`, `even` or `odd` of LCBench, or one by name."""
    tables = [f"{file.parent.name}:{file.stem}" for file in sorted(curves.glob("*/*.npz"))]
    lcbench = [f"lcbench:{name}" for name in surrogate.instances(curves)]
    parts = {"all": tables + lcbench, "tables": tables, "even": lcbench[::2], "odd": lcbench[1::2]}
    return parts[part] if part in parts else [name for name in parts["all"] if name == part]


def make_missing(setting: Setting, jobs: Sequence[Job], processes: int) -> None:
    """Make the runs that are not kept yet."""
    missing = [job for job in jobs if not setting.file(job).exists()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _quiet) as pool:
        for number, job in enumerate(pool.map(partial(_make, setting), missing), 1):
            print(f"{number}/{len(missing)} {job.method} {job.task} {job.seed}", file=sys.stderr, flush=True)


def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")  # the same ones in each run: nobody here can act on them


def _make(setting: Setting, job: Job) -> Job:
    task = setting.load(job.task)
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        run = simulate(
            task,
            METHODS[job.method],
            workers=setting.workers,
            trainings=setting.trainings,
            seed=job.seed,
            folder=Path(folder),
            others=[partial(setting.load, name) for name in _others(setting, job.task)],
        )
    scores = score(task, run, workers=setting.workers, trainings=setting.trainings)
    file = setting.file(job)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(scores))
    return job


def _others(setting: Setting, task: str) -> list[str]:
    """The other tasks of its family."""
    family = f"{task.partition(':')[0]}:"
    names = task_names(setting.curves, "all")
    return [name for name in names if name.startswith(family) and name != task]
