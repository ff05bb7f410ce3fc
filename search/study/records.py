"""What is known of a trial at one moment: a plain value, read by everything else."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from optuna.trial import TrialState

from search.config.goals import Goal
from search.objective.context import Steps
from search.study.hand_outs import HandOut

DROPPED = "checkpoint_dropped"  # attribute: after how many epochs a frozen trial lost its checkpoint
_DIVERGED = ("diverged", "nan")  # the second is what it was called when it was a failure


class StopReason(enum.StrEnum):
    """Why a trial ended."""

    FINISHED = "finished"  # its last epoch
    EARLY = "early"  # the objective returned before its last epoch, such as by early stopping
    PRUNED = "pruned"
    DIVERGED = "diverged"  # a loss or metric that is not finite: a result, which the sampler learns from
    OOM = "oom"  # out of memory, host or GPU
    ERROR = "error"  # an exception in the objective
    TIMEOUT = "timeout"  # no report for as long as a trial may be silent
    LOST = "lost"  # its worker died as often as it may
    SKIPPED = "skipped"  # somebody asked for its end
    INVALID = "invalid"  # somebody enqueued it with values that the space does not hold
    EXTERNAL = "external"  # somebody else ended it, by Optuna's API or dashboard

    @classmethod
    def _missing_(cls, value: object) -> StopReason | None:
        return cls.DIVERGED if value in _DIVERGED else None


_INTERRUPTIONS = (StopReason.LOST, StopReason.TIMEOUT, StopReason.OOM)


class Outcome(enum.StrEnum):
    """What a trial is called wherever it is shown."""

    RUNNING = "running"
    FROZEN = "frozen"
    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"
    WAITING = "waiting"


_OUTCOMES = {
    TrialState.RUNNING: Outcome.RUNNING,
    TrialState.COMPLETE: Outcome.COMPLETE,
    TrialState.PRUNED: Outcome.PRUNED,
    TrialState.FAIL: Outcome.FAILED,
    TrialState.WAITING: Outcome.WAITING,
}


@dataclass(frozen=True)
class Epoch:
    """One finished epoch of a trial.

    Example:
        >>> epoch = Epoch(3, {"val_acc": 0.75, "epoch_s": 2.0}, timestamp_ms=1_000, worker="host:1")
        >>> Epoch.from_json(epoch.to_json()) == epoch
        True
    """

    epoch: int  # from 1
    metrics: Mapping[str, float]
    timestamp_ms: int  # Unix time at which the worker reported it; kept, so that every replay is identical
    worker: str  # host and pid that trained it
    checkpoint: str | None = None  # its folder below the sweep's checkpoints
    steps: Steps = field(default_factory=dict)  # what was measured within the epoch
    cpus: float | None = None  # that its trial had; of an epoch of an earlier version nobody knows
    gpus: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The epoch as plain JSON."""
        return {
            "epoch": self.epoch,
            "metrics": dict(self.metrics),
            "timestamp_ms": self.timestamp_ms,
            "worker": self.worker,
            "checkpoint": self.checkpoint,
            **({"steps": self.steps} if self.steps else {}),
            **({"cpus": self.cpus, "gpus": self.gpus} if self.cpus is not None else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        steps = {
            name: [(step, value) for step, value in each] for name, each in data.get("steps", {}).items()
        }
        return cls(**{**data, "steps": steps})


@dataclass(frozen=True)
class TrialRecord:
    """A trial as stored in the study: the one type that the view, the progress and the results read.

    Example:
        >>> record = TrialRecord(number=7, state=TrialState.RUNNING, params={"lr": 0.1})
        >>> record.key, record.outcome.value
        ('trial-007', 'running')
    """

    number: int
    state: TrialState
    params: Mapping[str, Any]
    epochs: tuple[Epoch, ...] = ()
    value: float | None = None
    started_ms: int = 0
    ended_ms: int | None = None
    stop_reason: StopReason | None = None
    error: str | None = None
    times_lost: int = 0  # how often its worker died under it
    drivers_lost: int = 0  # how many drivers in a row died with it, without a finished epoch between
    run_id: str | None = None  # of its MLflow run
    retry_of: int | None = None
    checkpoint_dropped: bool = False  # those of its epochs so far, to save room while it was frozen
    hand_outs: tuple[HandOut, ...] = ()  # where trials are frozen: its beginning and each thaw

    @property
    def key(self) -> str:
        """How a trial is called everywhere: `trial-007`."""
        return trial_key(self.number)

    @property
    def outcome(self) -> Outcome:
        """Its state in a word, in which one that diverged is not taken for one that was pruned."""
        if self.frozen:
            return Outcome.FROZEN
        diverged = self.stop_reason is StopReason.DIVERGED
        return Outcome.DIVERGED if diverged else _OUTCOMES[self.state]

    @property
    def until(self) -> int | None:
        """The epoch that it freezes at; None: it trains to its end."""
        return self.hand_outs[-1].until if self.hand_outs else None

    @property
    def frozen(self) -> bool:
        """Whether it has trained as far as it was handed out, and waits to be thawed."""
        running = self.state is TrialState.RUNNING
        return running and self.until is not None and len(self.epochs) >= self.until

    @property
    def resumes_at(self) -> int:
        """Epochs that need not be trained again when it goes on: as many as its newest checkpoint has."""
        if self.checkpoint_dropped:
            return 0
        return max((epoch.epoch for epoch in self.epochs if epoch.checkpoint is not None), default=0)

    @property
    def thawed(self) -> int:
        """How often it went on after it had been frozen."""
        return max(0, len(self.hand_outs) - 1)

    @property
    def interrupted(self) -> bool:
        """Whether it failed by what may be no fault of its own, so that a retry resumes from there."""
        return self.state is TrialState.FAIL and self.stop_reason in _INTERRUPTIONS

    @property
    def train_seconds(self) -> float:
        """Seconds spent in its epochs, by the workers' own clocks."""
        return sum(epoch.metrics.get("epoch_s", 0.0) for epoch in self.epochs)


def ranked(records: Iterable[TrialRecord], goal: Goal) -> list[TrialRecord]:
    """The COMPLETE trials, best first; of equal ones the earlier."""
    complete = [record for record in records if record.state is TrialState.COMPLETE]
    return sorted(complete, key=lambda record: (goal.sort_key(record.value or 0.0), record.number))


def not_retried(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The trials that count: a failed one whose parameters are tried again gives its place to the retry."""
    records = list(records)
    retried = {record.retry_of for record in records}
    return [record for record in records if record.number not in retried]


def interrupted_origins(record: TrialRecord, records: Mapping[int, TrialRecord]) -> list[int]:
    """The trials whose training a retry resumes, newest first: as far back as they were interrupted."""
    origins: list[int] = []
    before = records.get(record.retry_of) if record.retry_of is not None else None
    while before is not None and before.interrupted:
        origins.append(before.number)
        before = records.get(before.retry_of) if before.retry_of is not None else None
    return origins


def trial_key(number: int) -> str:
    """`trial-007` for trial 7."""
    return f"trial-{number:03d}"
