"""The function that Ray runs: one attempt at one trial, in a warm worker that trains one after another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ray import tune

from search.engine.attempt import Attempt
from search.engine.messages import MESSAGE, Assignment, Message, WorkerSpec
from search.engine.scratch import SCRATCH, held_folder, hold_sockets
from search.objective.portable import PortableObjective

_stop_asked = threading.Event()  # in a worker: the driver's answer to the newest message was to stop


def make_trainable(spec: WorkerSpec) -> Callable[[dict[str, Any]], None]:
    """The trainable for Ray Tune: its config holds just the assignment."""

    def trial(config: dict[str, Any]) -> None:
        hold_sockets()
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
        end, error = Attempt(spec, assignment, scratch, _send).run()
    _send(end)
    if error is not None:
        # Of a class of its own: Ray takes a SystemExit for an orderly end, and would keep the worker.
        raise RuntimeError("the objective raised") from error


def ask_to_stop(_trainable: object) -> None:
    """Let the report that now waits for an answer end its trial; run by Ray in the worker."""
    _stop_asked.set()


def _send(message: Message) -> bool:
    tune.report({MESSAGE: message})
    return not _stop_asked.is_set()
