"""What a training function gets from a sweep, and how it is named and found again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from search.errors import UserError
from search.objective_module import import_objective_module


class TrialStopped(SystemExit):
    """Ends an objective whose trial was pruned, or whose sweep stops: raised by `report`, to be let through.

    No error of the objective: its own `sys.exit` is one, and is told apart by the class.
    """


class TrialContext(Protocol):
    """The sweep as the objective of one trial sees it."""

    @property
    def number(self) -> int:
        """Number of the trial, from 0."""

    @property
    def seed(self) -> int:
        """Seed of this trial: the sweep's seed plus the number."""

    @property
    def max_epochs(self) -> int:
        """Epochs to train; stopping earlier is allowed, reporting more is not."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The sweep's settings, unchanged."""

    @property
    def paths(self) -> Mapping[str, str]:
        """The sweep's paths, unchanged: where things lie on this machine."""

    @property
    def cpus(self) -> float:
        """CPU cores of this trial; use as many threads."""

    @property
    def gpus(self) -> float:
        """GPUs of this trial; CUDA shows just these."""

    @property
    def checkpoint(self) -> Path | None:
        """A local copy of the folder last reported with a checkpoint, if the trial was interrupted."""

    @property
    def epochs_done(self) -> int:
        """Epochs that the checkpoint holds; go on with the next."""

    @property
    def scratch(self) -> Path:
        """A local folder for this attempt's files, deleted after it."""

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Report a finished epoch (from 1), with the folder of a checkpoint that holds it.

        Returns when the trial may go on. The folder is copied: it may be reused afterwards.

        Raises:
            TrialStopped: the trial was pruned, or the sweep stops. Clean up in `finally`, within the sweep's
                `cleanup_time_s`; every later report raises it again.
            ValueError: an epoch out of order or beyond max_epochs, or the sweep's metric is missing.
            FloatingPointError: a metric is not finite.
        """


Objective = Callable[[Mapping[str, Any], TrialContext], None]


def objective_reference(objective: Objective) -> str:
    """`package.module:function` for a function that can be imported by that name.

    Raises:
        UserError: a lambda, a nested function or an object without a name.
    """
    name, module = getattr(objective, "__qualname__", ""), getattr(objective, "__module__", "")
    if not name or not module or "<" in name:
        raise UserError(
            f"objective {objective!r} cannot be imported: use a function defined at the top of a module"
        )
    return f"{module}:{name}"


def load_objective(reference: str, place: str | None = None) -> Objective:
    """The function that `package.module:function` names.

    Args:
        reference: its name.
        place: where its module lay when the sweep last ran, as `module_place` had it.

    Raises:
        UserError: it cannot be found; says what is missing.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise UserError(f"objective {reference!r} is no package.module:function")
    found: Any = import_objective_module(module_name, place)
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        if module_name == "__main__":
            script = f"run {place}" if place else "run that script"
            raise UserError(
                f"objective {name!r} is in the script that launched this sweep: {script} again, "
                "it goes on where it was"
            ) from error
        raise UserError(
            f"objective {reference!r} is not there ({error}): put it back into its module, or launch a sweep "
            "under another name"
        ) from error
    if not callable(found) or len(inspect.signature(found).parameters) < 2:
        raise UserError(
            f"objective {reference!r} takes no (parameters, context): see docs/how_to/own_training.md"
        )
    objective: Objective = found
    return objective
