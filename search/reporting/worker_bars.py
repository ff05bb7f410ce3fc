"""Who trained what when, from the trials' records: what a timeline of the workers draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from search.study.records import TrialRecord

_SHORTEST_GAP_S = 60  # a shorter one is a start of workers, or of a trial's next epoch
_MOST_IN_A_ROW = 60  # bars that are wide enough for an edge and a number, on average


@dataclass(frozen=True)
class WorkerBar:
    """An epoch on the timeline of the workers, or several of a trial, one after another.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> epoch = Epoch(1, {"val_acc": 0.5, "epoch_s": 2.0}, timestamp_ms=1_000, worker="host:1")
        >>> record = TrialRecord(0, TrialState.RUNNING, {"lr": 0.1}, (epoch,))
        >>> WorkerBar(record, first=0, last=0, row=0, start_s=0.0, seconds=2.0).worker
        'worker 1'
    """

    record: TrialRecord
    first: int  # epoch
    last: int
    row: int  # of its worker, from 0, in the order in which workers came
    start_s: float  # since the first epoch of all began
    seconds: float

    @property
    def worker(self) -> str:
        """What its row is called."""
        return f"worker {self.row + 1}"

    @property
    def epochs(self) -> str:
        """The epochs in words."""
        return f"epoch {self.first}" if self.first == self.last else f"epochs {self.first} to {self.last}"


def worker_bars(records: Sequence[TrialRecord]) -> list[WorkerBar]:
    """A bar for each epoch, trial by trial."""
    done = [
        (record, epoch, epoch.metrics.get("epoch_s", 0.0)) for record in records for epoch in record.epochs
    ]
    first_ms = min((epoch.timestamp_ms - 1000 * seconds for _, epoch, seconds in done), default=0.0)
    ends = sorted((epoch.timestamp_ms, epoch.worker) for _, epoch, _ in done)
    rows = {worker: row for row, worker in enumerate(dict.fromkeys(worker for _, worker in ends))}
    return [
        WorkerBar(
            record,
            epoch.epoch,
            epoch.epoch,
            rows[epoch.worker],
            (epoch.timestamp_ms - first_ms) / 1000 - seconds,
            seconds,
        )
        for record, epoch, seconds in done
    ]


def gaps(bars: Sequence[WorkerBar]) -> list[tuple[float, float]]:
    """When nobody trained for longer than the longest bar: begin and end in seconds, in order.

    Between two epochs a worker waits for much less, so there the sweep was interrupted.
    """
    longest = max((bar.seconds for bar in bars), default=0.0)
    found: list[tuple[float, float]] = []
    trained_until = 0.0
    for bar in sorted(bars, key=lambda bar: bar.start_s):
        if bar.start_s - trained_until > max(longest, _SHORTEST_GAP_S):
            found.append((trained_until, bar.start_s))
        trained_until = max(trained_until, bar.start_s + bar.seconds)
    return found


def are_legible(bars: Sequence[WorkerBar]) -> bool:
    """Whether bars are few enough to be told apart."""
    return len(bars) <= _MOST_IN_A_ROW * len({bar.row for bar in bars})


def joined_by_trial(bars: Sequence[WorkerBar]) -> list[WorkerBar]:
    """One bar where the same worker went straight on with the same trial."""
    joined: list[WorkerBar] = []
    for bar in bars:
        before = joined[-1] if joined else None
        if (
            before
            and (before.record.number, before.row) == (bar.record.number, bar.row)
            and bar.start_s - before.start_s - before.seconds < _SHORTEST_GAP_S
        ):
            seconds = bar.start_s + bar.seconds - before.start_s
            joined[-1] = dataclasses.replace(before, last=bar.last, seconds=seconds)
        else:
            joined.append(bar)
    return joined
