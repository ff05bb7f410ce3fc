"""How much of the slots' time went into training, and how much stood idle at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.study.records import TrialRecord


@dataclass(frozen=True)
class Utilisation:
    """What a launch or resume made of its slots, from its first epoch's beginning to its last one's end.

    Example:
        >>> Utilisation(slots=2, wall_s=10.0, training_s=15.0, tail_s=1.0).efficiency
        0.75
    """

    slots: int
    wall_s: float
    training_s: float  # of all epochs together
    tail_s: float  # slot-seconds after a worker's last epoch, while others still trained

    @property
    def efficiency(self) -> float:
        """Share of the slots' time in which an epoch was trained."""
        return self.training_s / (self.slots * self.wall_s)


def utilisation(records: Sequence[TrialRecord], slots: int, since_ms: int) -> Utilisation | None:
    """Work it out from the epochs' own times; None if none were measured.

    Args:
        records: all trials of the sweep.
        slots: trials that could run at a time.
        since_ms: Unix time of the launch or resume; what was trained before it does not count.
    """
    epochs = [
        (epoch.timestamp_ms / 1000, epoch.metrics["epoch_s"], epoch.worker)
        for record in records
        for epoch in record.epochs
        if epoch.timestamp_ms >= since_ms and "epoch_s" in epoch.metrics
    ]
    if not epochs:
        return None
    begin = min(end - seconds for end, seconds, _ in epochs)
    finish = max(end for end, _, _ in epochs)
    last: dict[str, float] = {}
    for end, _, worker in epochs:
        last[worker] = max(last.get(worker, end), end)
    # A worker that was replaced left no slot idle: of all that there were, the newest hold the slots.
    idle_since = sorted(last.values(), reverse=True)[:slots]
    return Utilisation(
        slots=slots,
        wall_s=max(finish - begin, 1e-3),
        training_s=sum(seconds for _, seconds, _ in epochs),
        tail_s=sum(finish - end for end in idle_since),
    )
