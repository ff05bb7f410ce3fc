"""The function that Ray runs: one attempt at one trial, in a warm worker that trains one after another.

Workers talk to Ray and to the checkpoints alone; they know neither the study nor MLflow.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune

from search.checkpoints import CheckpointStore, checkpoint_path
from search.failpoints import durable
from search.failures import failure_reason
from search.objective import Objective
from search.records import Epoch, StopReason

MESSAGE = "message"
# What MLflow takes: parts between slashes, none of which begins with a dot.
_METRIC_NAME = re.compile(r"[\w\- ][\w\-. ]*(/[\w\- ][\w\-. ]*)*", re.ASCII)


@dataclass(frozen=True)
class WorkerSpec:
    """What all trials of a sweep have in common; travels to the workers once."""

    objective: Objective
    settings: Mapping[str, Any]
    paths: Mapping[str, str]
    metric: str
    max_epochs: int
    checkpoints: str
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Assignment:
    """One trial as it is handed to a worker."""

    number: int
    params: Mapping[str, Any]
    seed: int
    epochs_known: int  # epochs that the study holds already


@dataclass(frozen=True)
class Message:
    """What a worker tells the driver; exactly one of the three kinds."""

    epochs: tuple[Epoch, ...] = ()  # finished epochs; ones that the study has already are ignored there
    notes: tuple[str, ...] = ()  # what the user should hear about this attempt
    finished: bool = False  # the objective returned
    failure: StopReason | None = None  # the objective raised
    error: str = ""


@dataclass
class _Context:
    """The `TrialContext` of one attempt."""

    number: int
    seed: int
    max_epochs: int
    settings: Mapping[str, Any]
    paths: Mapping[str, str]
    cpus: float
    gpus: float
    scratch: Path
    metric: str
    store: CheckpointStore
    checkpoint: Path | None = None
    history: tuple[Epoch, ...] = field(default=())
    _epoch_began: float = field(default_factory=time.perf_counter)

    @property
    def epochs_done(self) -> int:
        return self.history[-1].epoch if self.history else 0

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        values = self._checked(epoch, metrics)
        # What a trial costs is read from this metric; an objective that does not measure it need not.
        values.setdefault("epoch_s", float(f"{time.perf_counter() - self._epoch_began:.6g}"))
        finished = Epoch(
            epoch=epoch,
            metrics=values,
            timestamp_ms=int(time.time() * 1000),
            worker=f"{socket.gethostname()}:{os.getpid()}",
            checkpoint=checkpoint_path(self.number, epoch) if checkpoint else None,
        )
        self.history = (*self.history, finished)
        notes = self._save(checkpoint) if checkpoint else ()
        _send(Message(epochs=(finished,), notes=notes))
        self._epoch_began = time.perf_counter()

    def _save(self, folder: Path) -> tuple[str, ...]:
        """Store a checkpoint; where that fails, the epoch still counts and the user hears of it."""
        try:
            with durable("checkpoint"):
                self.store.save(self.number, self.history, folder)
        except OSError as error:
            cause = error.strerror or " ".join(str(error).split())
            return (f"no checkpoint of epoch {self.epochs_done} ({cause}); training goes on",)
        return ()

    def _checked(self, epoch: int, metrics: Mapping[str, float]) -> dict[str, float]:
        if epoch != self.epochs_done + 1 or epoch > self.max_epochs:
            raise ValueError(
                f"epoch {epoch} reported after epoch {self.epochs_done} of {self.max_epochs}: "
                "report each epoch once, counted from 1"
            )
        if self.metric not in metrics:
            there = ", ".join(metrics) or "nothing"
            raise ValueError(
                f"no {self.metric!r} among the reported metrics ({there}): report what the sweep optimises"
            )
        values = {name: float(value) for name, value in metrics.items()}
        for name, value in values.items():
            if not _METRIC_NAME.fullmatch(name):
                raise ValueError(
                    f"metric {name!r} cannot be shown in MLflow: "
                    "use letters, digits, '_', '-', '.', spaces and '/'"
                )
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is {value} in epoch {epoch}")
        return values


def make_trainable(spec: WorkerSpec) -> Callable[[dict[str, Any]], None]:
    """The trainable for Ray Tune: its config holds just the assignment."""

    def trial(config: dict[str, Any]) -> None:
        run_attempt(spec, Assignment(**config))

    return trial


def run_attempt(spec: WorkerSpec, assignment: Assignment) -> None:
    """Train one trial from its newest checkpoint, telling the driver of each epoch and of the end.

    Raises:
        Exception: whatever the objective raised, told to the driver as the trial's failure; or what kept
            the attempt from starting, untold, so that it counts as a lost worker's.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f"sweep-trial-{assignment.number:03d}-"))
    try:
        # Checkpoints that do not answer for a moment are no fault of the trial: it is handed out again.
        context = _prepare(spec, assignment, scratch)
        _train(spec.objective, assignment.params, context)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _train(objective: Objective, params: Mapping[str, Any], context: _Context) -> None:
    try:
        objective(dict(params), context)
        _send(Message(finished=True))
    except Exception as error:
        # Whatever the user's objective raises is the trial's failure, not the sweep's. It is raised on,
        # so that Ray throws this worker away: nobody knows what state the error left behind.
        _send(Message(failure=failure_reason(error), error=_describe(error)))
        raise


def _prepare(spec: WorkerSpec, assignment: Assignment, scratch: Path) -> _Context:
    store = CheckpointStore(spec.checkpoints)
    newest, faults = store.newest(assignment.number)
    context = _Context(
        number=assignment.number,
        seed=assignment.seed,
        max_epochs=spec.max_epochs,
        settings=spec.settings,
        paths=spec.paths,
        cpus=spec.cpus,
        gpus=spec.gpus,
        scratch=scratch / "files",
        metric=spec.metric,
        store=store,
    )
    context.scratch.mkdir()
    if newest:
        context.checkpoint = store.fetch(newest, scratch / "checkpoint")
        context.history = newest.history
    if context.epochs_done < assignment.epochs_known:
        known = assignment.epochs_known
        faults.append(
            f"goes on from epoch {context.epochs_done}, though the study knows {known} epochs of it"
        )
    if newest or faults:
        _send(Message(epochs=context.history, notes=tuple(faults)))
    return context


def _send(message: Message) -> None:
    """Hand a message to the driver and wait for its answer: going on, or SystemExit."""
    tune.report({MESSAGE: message})


def _describe(error: Exception) -> str:
    """The error with the innermost frames of its traceback: what one needs to find the fault."""
    return "".join(traceback.format_exception(error, limit=-6)).strip()
