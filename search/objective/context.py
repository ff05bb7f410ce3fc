"""What a training function needs from a sweep: the sweep as one trial sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol


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
        """Epochs that the checkpoint holds; continue with the next."""

    @property
    def scratch(self) -> Path:
        """A local folder for this attempt's files, deleted after it."""

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Report a finished epoch (from 1), with the folder of a checkpoint that holds it.

        Returns when the trial may go on. The folder is copied: it may be reused afterwards.

        Raises:
            TrialStopped: the trial was pruned, or the sweep stops. Clean up in `finally`, within the sweep's
                `cleanup_time`; every later report raises it again.
            ValueError: an epoch out of order or beyond max_epochs, or the sweep's metric is missing.
            FloatingPointError: a metric is not finite.
        """


Objective = Callable[[Mapping[str, Any], TrialContext], None]
