"""One attempt at a trial, on the worker's side: gives the objective its context, and tells what comes of it.

Knows the checkpoints, and neither Ray nor the study nor MLflow.
"""

from __future__ import annotations

import math
import os
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from search.config.names import check_metric
from search.engine.beginning import Beginning, find_beginning, os_cause
from search.engine.failures import failure_reason
from search.engine.messages import Assignment, Message, WorkerSpec
from search.objective.context import Steps, TrialContext, TrialStopped
from search.study.checkpoints import CheckpointStore, checkpoint_path
from search.study.failpoints import durable
from search.study.records import Epoch, StopReason
from search.text import encodable

MOST_STEPS = 500  # points of a metric that one report keeps: the study holds them all, and is read whole


class Attempt:
    """One attempt at one trial.

    Args:
        spec: what all trials of the sweep have in common.
        assignment: the trial.
        scratch: a folder of the attempt's own.
        send: hands a message to the driver and waits for its answer: whether the attempt continues.

    Example:
        >>> def objective(params, trial):
        ...     trial.report(1, {"val_acc": params["lr"]})
        >>> sent, scratch = [], Path("attempt")
        >>> scratch.mkdir()
        >>> spec = WorkerSpec(objective, {}, {}, "val_acc", 1, str(Path("kept").absolute()), cpus=1, gpus=0)
        >>> assignment = Assignment(number=0, params={"lr": 0.5}, seed=0, epochs_known=0)
        >>> attempt = Attempt(spec, assignment, scratch, send=lambda message: not sent.append(message))
        >>> end, error = attempt.run()
        >>> end.finished, [epoch.metrics["val_acc"] for message in sent for epoch in message.epochs]
        (True, [0.5])
    """

    def __init__(
        self, spec: WorkerSpec, assignment: Assignment, scratch: Path, send: Callable[[Message], bool]
    ) -> None:
        self._spec = spec
        self._assignment = assignment
        self._scratch = scratch
        self._send = send
        self._store = CheckpointStore(spec.checkpoints)
        self._history: tuple[Epoch, ...] = ()
        self._stopped = False  # the driver has told it to end
        self._epoch_began = time.perf_counter()
        files = scratch / "files"
        files.mkdir()
        self._context = TrialContext(
            number=assignment.number,
            seed=assignment.seed,
            max_epochs=spec.max_epochs,
            settings=spec.settings,
            paths=spec.paths,
            cpus=spec.cpus,
            gpus=spec.gpus,
            scratch=files,
            on_report=self._report,
            freezes_at=assignment.until,
        )

    def run(self) -> tuple[Message, BaseException | None]:
        """Run the objective to its end; what the driver hears of it, and an error that spoils the worker."""
        try:
            beginning = find_beginning(
                self._store,
                self._assignment.number,
                origins=self._assignment.origins,
                epochs_known=self._assignment.epochs_known,
                to=self._scratch / "checkpoint",
                say=lambda note: self._tell(Message(notes=(note,) if note else ())),
            )
            # Always: a trial has been started in the study before it can do any harm, such as killing the
            # driver.
            self._begin(beginning)
        except TrialStopped:
            return Message(left=True), None
        try:
            self._spec.objective(dict(self._assignment.params), self._context)
        except BaseException as error:
            # Whatever the user's objective raises is the trial's failure, not the sweep's; SystemExit and
            # KeyboardInterrupt too, which it may raise of itself.
            reason = failure_reason(error)
            if not self._stopped:
                # A model that diverged has left the worker as sound as any other end.
                spoiled = None if reason is StopReason.DIVERGED else error
                return Message(failure=reason, error=_describe(error)), spoiled
            if isinstance(error, Exception):
                return Message(left=True, failure=reason, error=_describe(error)), error
        return (Message(left=True) if self._stopped else Message(finished=True)), None

    def _begin(self, beginning: Beginning) -> None:
        """Tell the driver from where the attempt goes on."""
        self._history = beginning.history
        self._context.checkpoint, self._context.epochs_done = beginning.checkpoint, beginning.epochs_done
        self._tell(Message(epochs=beginning.history, notes=tuple(beginning.notes)))
        self._epoch_began = time.perf_counter()

    def _report(
        self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None, steps: Steps
    ) -> None:
        """What `TrialContext.report` does."""
        if self._stopped:
            raise TrialStopped  # it was caught, and the objective goes on
        values = self._checked(epoch, metrics)
        # What a trial costs is read from this metric; an objective that does not measure it need not.
        values.setdefault("epoch_s", float(f"{time.perf_counter() - self._epoch_began:.6g}"))
        finished = Epoch(
            epoch=epoch,
            metrics=values,
            timestamp_ms=int(time.time() * 1000),
            worker=encodable(f"{socket.gethostname()}:{os.getpid()}"),
            checkpoint=checkpoint_path(self._assignment.number, epoch) if checkpoint else None,
            steps=_checked_steps(steps, values),
            cpus=self._spec.cpus,
            gpus=self._spec.gpus,
        )
        self._history = (*self._history, finished)
        self._context.epochs_done = epoch
        notes = self._save(checkpoint) if checkpoint else ()
        self._tell(Message(epochs=(finished,), notes=notes))
        self._epoch_began = time.perf_counter()

    def _tell(self, message: Message) -> None:
        """Hand a message to the driver and wait for its answer; raises if the trial is to end."""
        self._stopped = not self._send(message)
        if self._stopped:
            raise TrialStopped

    def _save(self, folder: Path) -> tuple[str, ...]:
        """Store a checkpoint; where that fails, the epoch still counts and the user hears of it."""
        try:
            self._store.check_there()
            with durable("checkpoint"):
                self._store.save(self._assignment.number, self._history, folder)
        except OSError as error:
            epoch = self._history[-1].epoch
            return (f"no checkpoint of epoch {epoch} ({os_cause(error)}); training continues",)
        return ()

    def _checked(self, epoch: int, metrics: Mapping[str, float]) -> dict[str, float]:
        done, most, metric = self._context.epochs_done, self._spec.max_epochs, self._spec.metric
        if epoch != done + 1 or epoch > most:
            raise ValueError(
                f"epoch {epoch} reported after epoch {done} of {most}: report each epoch once, counted from 1"
            )
        if metric not in metrics:
            reported = ", ".join(metrics) or "nothing"
            raise ValueError(
                f"no {metric!r} among the reported metrics ({reported}): report what the sweep optimises"
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


def _checked_steps(steps: Steps, metrics: Mapping[str, float]) -> Steps:
    """Plain finite numbers, evenly thinned out; a single step that overflowed does not end a trial."""
    checked = {}
    for name, points in steps.items():
        try:
            check_metric(name)
        except ValueError as error:
            raise ValueError(f"metric {name!r} cannot be shown in MLflow: {error}") from None
        if name in metrics:
            raise ValueError(
                f"metric {name!r} is reported of the epoch and of its steps: give one of them another name"
            )
        finite = [(int(step), float(value)) for step, value in points if math.isfinite(value)]
        checked[name] = finite[:: math.ceil(len(finite) / MOST_STEPS)] if finite else []
    return checked


def _describe(error: BaseException) -> str:
    """The error with the innermost frames of its traceback: what one needs to find the fault."""
    return encodable("".join(traceback.format_exception(error, limit=-6)).strip())
