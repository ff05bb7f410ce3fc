"""A log for each trial, brought up to the trial's record: what all loggers have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from optuna.trial import TrialState

from search.study.records import Epoch, TrialRecord


@dataclass(frozen=True)
class Row:
    """What was measured in an epoch, or at one step within it.

    Example:
        >>> Row("epoch", 3, {"val_acc": 0.75}, timestamp_ms=1_000).number
        3
    """

    of: Literal["epoch", "step"]
    number: int
    metrics: dict[str, float]
    timestamp_ms: int


def rows_of(epochs: Iterable[Epoch]) -> list[Row]:
    """All that was measured in some epochs, in the order of time: each epoch comes after its steps.

    >>> epoch = Epoch(1, {"val_acc": 0.5}, 0, "host:1", steps={"loss": [(10, 0.7), (20, 0.4)]})
    >>> [(row.of, row.number) for row in rows_of([epoch])]
    [('step', 10), ('step', 20), ('epoch', 1)]
    """
    rows = []
    for epoch in epochs:
        steps: dict[int, dict[str, float]] = {}
        for name, points in epoch.steps.items():
            for step, value in points:
                steps.setdefault(step, {})[name] = value
        rows += [Row("step", step, steps[step], epoch.timestamp_ms) for step in sorted(steps)]
        rows.append(Row("epoch", epoch.epoch, dict(epoch.metrics), epoch.timestamp_ms))
    return rows


class TrialLog(Protocol):
    """The log of one trial, open to be continued."""

    def write(self, record: TrialRecord) -> None:
        """Add what it lacks of the trial's epochs."""

    def end(self, record: TrialRecord) -> None:
        """Say how the trial ended, or that it is frozen, and close the log: it is whole now."""

    def close(self) -> None:
        """Let go of a log that is not whole; what it has stays."""


class TrialLogs:
    """The logs of a sweep's trials: an `Observer` and a `ClosingObserver`, which may take its time.

    Which trials have a whole log is noted in a file, a line each. After a crash every other log is begun
    anew from the trial's record, so that it has each epoch once, whatever had become of it.

    Args:
        begin: begins a trial's log, in the place of one that there may be.
        notes: the file; to delete it, with the logs, has them all made anew.

    Example:
        >>> class Printed:
        ...     def __init__(self, record):
        ...         self._name, self._written = record.key, 0
        ...     def write(self, record):
        ...         for epoch in record.epochs[self._written :]:
        ...             print(self._name, epoch.epoch, dict(epoch.metrics))
        ...         self._written = len(record.epochs)
        ...     def end(self, record):
        ...         print(self._name, record.outcome)
        >>> epochs = tuple(Epoch(number, {"val_acc": number / 4}, 0, "host:1") for number in (1, 2))
        >>> ended = TrialRecord(0, TrialState.COMPLETE, {}, epochs, value=0.5)
        >>> TrialLogs(Printed, Path("notes")).sweep_opened([ended])
        trial-000 1 {'val_acc': 0.25}
        trial-000 2 {'val_acc': 0.5}
        trial-000 complete
        >>> TrialLogs(Printed, Path("notes")).sweep_opened([ended])  # the next driver has nothing to do
    """

    def __init__(self, begin: Callable[[TrialRecord], TrialLog], notes: Path) -> None:
        self._begin = begin
        self._notes = notes
        self._open: dict[int, TrialLog] = {}

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Make up for what an earlier driver has left out."""
        whole = _read(self._notes)
        for record in records:
            if record.state is not TrialState.WAITING and _note(record) not in whole:
                self.trial_changed(record)

    def trial_changed(self, record: TrialRecord) -> None:
        """Bring the trial's log up to its record; where that fails, the log is begun anew the next time."""
        log = self._open.pop(record.number, None) or self._begin(record)
        try:
            log.write(record)
            if record.state is TrialState.RUNNING and not record.frozen:
                self._open[record.number] = log
                return
            log.end(record)
        except BaseException:  # of any kind: it is raised on
            with contextlib.suppress(Exception):  # it is broken already
                log.close()
            raise
        _append(self._notes, _note(record))

    def sweep_closed(self) -> None:
        """Close the logs of trials that have not ended."""
        while self._open:
            _, log = self._open.popitem()
            log.close()


def _note(record: TrialRecord) -> str:
    """How a trial stands that has ended or is frozen: `7 complete 9`; no whole log has any other."""
    return f"{record.number} {record.outcome} {len(record.epochs)}"


def _read(notes: Path) -> set[str]:
    """The newest note of each trial."""
    try:
        lines = notes.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return set({line.partition(" ")[0]: line for line in lines}.values())


def _append(notes: Path, note: str) -> None:
    notes.parent.mkdir(parents=True, exist_ok=True)
    with notes.open("a", encoding="utf-8") as file:
        file.write(f"\n{note}")  # a driver may have died in the middle of the line before
