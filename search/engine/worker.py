"""The function that Ray runs: one attempt at one trial, in a warm worker that trains one after another.

Workers talk to Ray and to the checkpoints alone; they know neither the study nor MLflow.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune

from search.config.names import check_metric
from search.engine.beginning import Beginning, find_beginning, os_cause
from search.engine.failures import failure_reason
from search.engine.messages import MESSAGE, Assignment, Message, WorkerSpec
from search.engine.scratch import SCRATCH, held_folder
from search.objective.context import Objective, TrialStopped
from search.objective.portable import PortableObjective
from search.study.checkpoints import CheckpointStore, checkpoint_path
from search.study.failpoints import durable
from search.study.records import Epoch, StopReason
from search.text import encodable


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
    stopped: bool = False  # the driver has told it to end
    _epoch_began: float = field(default_factory=time.perf_counter)

    @property
    def epochs_done(self) -> int:
        return self.history[-1].epoch if self.history else 0

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        if self.stopped:
            raise TrialStopped  # it was caught, and the objective goes on
        values = self._checked(epoch, metrics)
        # What a trial costs is read from this metric; an objective that does not measure it need not.
        values.setdefault("epoch_s", float(f"{time.perf_counter() - self._epoch_began:.6g}"))
        finished = Epoch(
            epoch=epoch,
            metrics=values,
            timestamp_ms=int(time.time() * 1000),
            worker=encodable(f"{socket.gethostname()}:{os.getpid()}"),
            checkpoint=checkpoint_path(self.number, epoch) if checkpoint else None,
        )
        self.history = (*self.history, finished)
        notes = self._save(checkpoint) if checkpoint else ()
        self.tell(Message(epochs=(finished,), notes=notes))
        self._epoch_began = time.perf_counter()

    def begin(self, beginning: Beginning) -> None:
        """Tell the driver from where the attempt goes on.

        Raises:
            TrialStopped: the trial is to end.
        """
        self.checkpoint, self.history = beginning.checkpoint, beginning.history
        self.tell(Message(epochs=beginning.history, notes=tuple(beginning.notes)))
        self._epoch_began = time.perf_counter()

    def tell(self, message: Message) -> None:
        """Hand a message to the driver and wait for its answer.

        Raises:
            TrialStopped: the trial is to end.
        """
        self.stopped = not _send(message)
        if self.stopped:
            raise TrialStopped

    def _save(self, folder: Path) -> tuple[str, ...]:
        """Store a checkpoint; where that fails, the epoch still counts and the user hears of it."""
        try:
            self.store.check_there()
            with durable("checkpoint"):
                self.store.save(self.number, self.history, folder)
        except OSError as error:
            return (f"no checkpoint of epoch {self.epochs_done} ({os_cause(error)}); training continues",)
        return ()

    def _checked(self, epoch: int, metrics: Mapping[str, float]) -> dict[str, float]:
        if epoch != self.epochs_done + 1 or epoch > self.max_epochs:
            raise ValueError(
                f"epoch {epoch} reported after epoch {self.epochs_done} of {self.max_epochs}: "
                "report each epoch once, counted from 1"
            )
        if self.metric not in metrics:
            reported = ", ".join(metrics) or "nothing"
            raise ValueError(
                f"no {self.metric!r} among the reported metrics ({reported}): report what the sweep optimises"
            )
        values = {name: float(value) for name, value in metrics.items()}
        for name, value in values.items():
            try:
                check_metric(name)
            except ValueError as error:
                raise ValueError(f"metric {name!r} cannot be shown in MLflow: {error}") from None
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

    The end is told when all of it is over, the objective's own clean-up and that of its folder: the driver
    gives this worker the next trial then.

    Raises:
        Exception: the objective raised, which the driver was told as the trial's failure; or what kept
            the attempt from starting, untold, so that it counts as a lost worker's. Ray throws a worker
            away that raises: nobody knows what state the error left behind.
    """
    _stop_asked.clear()
    if isinstance(spec.objective, PortableObjective):
        spec.objective.prepare()
    with held_folder(SCRATCH, f"{assignment.number:03d}-") as scratch:
        context = _context(spec, assignment, scratch)
        end, error = _train(spec.objective, assignment, context, scratch)
    _send(end)
    if error is not None:
        # Of a class of its own: Ray takes a SystemExit for an orderly end, and would keep the worker.
        raise RuntimeError("the objective raised") from error


def ask_to_stop(_trainable: object) -> None:
    """Let the report that now waits for an answer end its trial; run by Ray in the worker."""
    _stop_asked.set()


_stop_asked = threading.Event()  # in a worker: the driver's answer to the newest message was to stop


def _train(
    objective: Objective, assignment: Assignment, context: _Context, scratch: Path
) -> tuple[Message, BaseException | None]:
    """Run the objective to its end; what the driver is to hear of it, and an error that spoils the worker."""
    try:
        beginning = find_beginning(
            context.store,
            assignment.number,
            origins=assignment.origins,
            epochs_known=assignment.epochs_known,
            to=scratch / "checkpoint",
            say=lambda note: context.tell(Message(notes=(note,) if note else ())),
        )
        # Always: a trial has been started in the study before it can do any harm, such as killing the driver.
        context.begin(beginning)
    except TrialStopped:
        return Message(left=True), None
    try:
        objective(dict(assignment.params), context)
    except BaseException as error:
        # Whatever the user's objective raises is the trial's failure, not the sweep's; SystemExit and
        # KeyboardInterrupt too, which it may raise of itself.
        reason = failure_reason(error)
        if not context.stopped:
            # A model that diverged has left the worker as sound as any other end.
            spoiled = None if reason is StopReason.DIVERGED else error
            return Message(failure=reason, error=_describe(error)), spoiled
        if isinstance(error, Exception):
            return Message(left=True, failure=reason, error=_describe(error)), error
    return (Message(left=True) if context.stopped else Message(finished=True)), None


def _context(spec: WorkerSpec, assignment: Assignment, scratch: Path) -> _Context:
    files = scratch / "files"
    files.mkdir()
    return _Context(
        number=assignment.number,
        seed=assignment.seed,
        max_epochs=spec.max_epochs,
        settings=spec.settings,
        paths=spec.paths,
        cpus=spec.cpus,
        gpus=spec.gpus,
        scratch=files,
        metric=spec.metric,
        store=CheckpointStore(spec.checkpoints),
    )


def _send(message: Message) -> bool:
    """Hand a message to the driver and wait for its answer: whether the attempt continues."""
    tune.report({MESSAGE: message})
    return not _stop_asked.is_set()


def _describe(error: BaseException) -> str:
    """The error with the innermost frames of its traceback: what one needs to find the fault."""
    return encodable("".join(traceback.format_exception(error, limit=-6)).strip())
