"""What a training function needs from a sweep: the sweep as one trial sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

Steps: TypeAlias = Mapping[str, Sequence[tuple[int, float]]]
"""What was measured within epochs: a metric's values, each with the optimiser step that it is of."""


class TrialStopped(SystemExit):
    """Ends an objective whose trial was pruned, or whose sweep stops: raised by `report`, to be let through.

    No error of the objective: its own `sys.exit` is one, and is told apart by the class.
    """


@dataclass(kw_only=True)
class TrialContext:
    """The sweep as the objective of one trial sees it.

    A sweep makes one for each attempt at a trial. To try a training function out without a sweep, make one
    by hand:

    >>> def train(params, context):
    ...     for epoch in range(context.epochs_done + 1, context.max_epochs + 1):
    ...         context.report(epoch, {"val_acc": epoch * params["lr"]})
    >>> train({"lr": 0.25}, TrialContext(max_epochs=2, scratch=Path("."), on_report=print))
    1 {'val_acc': 0.25} None {}
    2 {'val_acc': 0.5} None {}

    Attributes:
        max_epochs: epochs to train; stopping earlier is allowed, reporting more is not.
        scratch: a local folder for this attempt's files, deleted after it.
        on_report: takes what is reported; raises what `report` raises.
        number: number of the trial, from 0.
        seed: seed of this trial: the sweep's seed plus the number.
        settings: the sweep's settings, unchanged.
        paths: the sweep's paths, unchanged: where things lie on this machine.
        cpus: CPU cores of this trial; use as many threads.
        gpus: GPUs of this trial; CUDA shows just these.
        checkpoint: a local copy of the folder last reported with a checkpoint, if the trial was interrupted.
        epochs_done: epochs that the checkpoint holds, or that have been reported; go on with the next.
        freezes_at: the epoch after which the trial will be frozen, unless it ends before: a function that
            saves no checkpoint each epoch should save one there. None: it trains to its end.
    """

    max_epochs: int
    scratch: Path
    on_report: OnReport = field(repr=False)
    number: int = 0
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 1.0
    gpus: float = 0.0
    checkpoint: Path | None = None
    epochs_done: int = 0
    freezes_at: int | None = None

    def report(
        self,
        epoch: int,
        metrics: Mapping[str, float],
        checkpoint: Path | None = None,
        *,
        steps: Steps | None = None,
    ) -> None:
        """Report a finished epoch (from 1), with the folder of a checkpoint that holds it.

        Returns when the trial may go on. The folder is copied: it may be reused afterwards.

        Args:
            epoch: from 1, each once.
            metrics: of the whole epoch; the sweep's metric is among them.
            checkpoint: a folder.
            steps: what was measured at single steps since the last report, under names of their own.

        Raises:
            TrialStopped: the trial was pruned, or the sweep stops. Clean up in `finally`, within the sweep's
                `cleanup_time`; every later report raises it again.
            ValueError: an epoch out of order or beyond max_epochs, or the sweep's metric is missing.
            FloatingPointError: a metric is not finite.
        """
        self.on_report(epoch, metrics, checkpoint, steps or {})


class OnReport(Protocol):
    """Takes what a training function reports; raises what `TrialContext.report` raises."""

    def __call__(
        self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None, steps: Steps, /
    ) -> None:
        """Take a finished epoch."""


Objective = Callable[[Mapping[str, Any], TrialContext], None]
