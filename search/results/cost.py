"""What a sweep cost: the core-hours and GPU-hours of its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    def of(cls, records: Sequence[TrialRecord]) -> Cost | None:
        """Work it out; None if no epoch says what it had and how long it took."""
        meter = Meter()
        for record in records:
            meter.add(record)
        return meter.cost

    def __str__(self) -> str:
        gpus = f" and {_amount(self.gpu_hours)} GPU-hours" if self.gpu_hours else ""
        least = "" if self.is_whole else "at least "
        return f"{least}{_amount(self.core_hours)} core-hours{gpus} of training"


class Meter:
    """The cost of trials, added up as they train.

    Example:
        >>> meter = Meter()
        >>> meter.cost is None
        True
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {}  # epochs of each trial that are in the sums
        self._seen: set[tuple[str, int, int]] = set()  # a retry holds the epochs of the trial that it resumes
        self._core_hours = self._gpu_hours = 0.0
        self._told = 0  # epochs that say what they had and how long they took

    def add(self, record: TrialRecord) -> None:
        """Take in what is new of a trial."""
        for epoch in record.epochs[self._known.get(record.number, 0) :]:
            if _identity(epoch) in self._seen:
                continue
            self._seen.add(_identity(epoch))
            if epoch.cpus is not None and "epoch_s" in epoch.metrics:
                hours = epoch.metrics["epoch_s"] / 3600
                self._told += 1
                self._core_hours += hours * epoch.cpus
                self._gpu_hours += hours * (epoch.gpus or 0.0)
        self._known[record.number] = len(record.epochs)

    @property
    def cost(self) -> Cost | None:
        """Of all of them; None if no epoch says what it had and how long it took."""
        if not self._told:
            return None
        return Cost(self._core_hours, self._gpu_hours, self._told == len(self._seen))


def _identity(epoch: Epoch) -> tuple[str, int, int]:
    return epoch.worker, epoch.timestamp_ms, epoch.epoch


def _amount(hours: float) -> str:
    return f"{hours:.2g}" if hours < 1 else f"{hours:,.1f}"
