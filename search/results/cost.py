"""What a sweep cost: the core-hours and GPU-hours of its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from search.study.records import Epoch, TrialRecord


@dataclass(frozen=True)
class Cost:
    """Hours of epochs, times the cores and the GPUs that each trial had for itself.

    What a slot did between epochs is not in it, nor are epochs that were lost, or trained a second time.

    Example:
        >>> Cost(core_hours=1234.5, gpu_hours=0.25)
        Cost(core_hours=1234.5, gpu_hours=0.25, is_whole=True)
        >>> str(Cost(core_hours=1234.5, gpu_hours=0.25))
        '1,234.5 core-hours and 0.25 GPU-hours of training'
    """

    core_hours: float
    gpu_hours: float
    is_whole: bool = True  # or there are epochs of which nobody knows what they had

    @classmethod
    def of(cls, records: Sequence[TrialRecord]) -> Self | None:
        """Work it out; None if no epoch says what it had and how long it took."""
        # A retry holds the epochs of the trial that it resumes.
        epochs = {_identity(epoch): epoch for record in records for epoch in record.epochs}.values()
        known = [epoch for epoch in epochs if epoch.cpus is not None and "epoch_s" in epoch.metrics]
        if not known:
            return None
        return cls(
            sum(_hours(epoch) * (epoch.cpus or 0.0) for epoch in known),
            sum(_hours(epoch) * (epoch.gpus or 0.0) for epoch in known),
            len(known) == len(epochs),
        )

    def __str__(self) -> str:
        gpus = f" and {_amount(self.gpu_hours)} GPU-hours" if self.gpu_hours else ""
        least = "" if self.is_whole else "at least "
        return f"{least}{_amount(self.core_hours)} core-hours{gpus} of training"


def _identity(epoch: Epoch) -> tuple[str, int, int]:
    return epoch.worker, epoch.timestamp_ms, epoch.epoch


def _hours(epoch: Epoch) -> float:
    return epoch.metrics["epoch_s"] / 3600


def _amount(hours: float) -> str:
    return f"{hours:.2g}" if hours < 1 else f"{hours:,.1f}"
