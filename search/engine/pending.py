"""What is not shown of a sweep yet: noted by the driver's thread, taken by the one that writes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from optuna.trial import TrialState

from search.study.records import TrialRecord

GATHER_S = 0.5
"""A running trial's changes are written together; those of the quickest trials in a single go."""

SWEEP = None
"""The sweep's own run, where trials go by their numbers."""


class Pending:
    """The newest record of each trial, those that are to be written, and those that could not be written.

    Example:
        >>> pending = Pending()
        >>> pending.end()
        >>> pending.take() is None  # nothing is left, and nothing will come
        True
    """

    def __init__(self) -> None:
        self._records: dict[int, TrialRecord] = {}
        self._due: dict[int, float] = {}  # trials to be written, and from when on
        # Why what was given was not taken. Tried again when it changes, and at the end.
        self._refused: dict[int | None, str] = {}
        self._ending = self._abandoned = False
        self._changed = threading.Condition()

    @property
    def records(self) -> list[TrialRecord]:
        """The newest of each trial."""
        with self._changed:
            return list(self._records.values())

    @property
    def behind(self) -> int:
        """Number of trials that are not shown as they are."""
        with self._changed:
            return len(self._due.keys() | self._refused.keys() - {SWEEP})

    @property
    def refusals(self) -> Mapping[int | None, str]:
        """Why what was not taken was refused, by trial or `SWEEP`."""
        with self._changed:
            return dict(self._refused)

    @property
    def ending(self) -> bool:
        """Whether no more changes will come."""
        return self._ending

    @property
    def abandoned(self) -> bool:
        """Whether nothing more may be written."""
        return self._abandoned

    def begin(self, records: Sequence[TrialRecord], due: bool = True) -> None:
        """Take in the trials so far; all of them are due, or none."""
        with self._changed:
            self._records = {record.number: record for record in records}
            self._due = dict.fromkeys(self._records, 0.0) if due else {}

    def change(self, record: TrialRecord, gather: bool) -> None:
        """Note a trial's change; due at once if it has ended, or its next ones are not to be waited for."""
        wait = GATHER_S if gather and record.state is TrialState.RUNNING else 0.0
        with self._changed:
            self._records[record.number] = record
            self._be_due(record.number, time.monotonic() + wait if wait else 0.0)
            self._changed.notify()

    def put_back(self, number: int, wait_s: float = 0.0) -> None:
        """A trial that was taken has something left to be written, a little later or at once."""
        with self._changed:
            self._be_due(number, time.monotonic() + wait_s if wait_s else 0.0)

    def is_exact(self, record: TrialRecord) -> None:
        """A trial is shown as this record has it; if it has changed since, it is still due."""
        with self._changed:
            if self._records[record.number] is record:
                self._due.pop(record.number, None)

    def refuse(self, what: int | None, why: str) -> bool:
        """This was not taken; returns whether it is the first."""
        with self._changed:
            first = not self._refused
            self._refused[what] = why
            return first

    def accept(self, what: int | None) -> None:
        """This was taken."""
        with self._changed:
            self._refused.pop(what, None)

    def retry(self) -> None:
        """All trials that were refused are due again: what was in their way may be gone."""
        with self._changed:
            self._due |= {number: 0.0 for number in self._refused if number is not SWEEP}

    def take(self) -> TrialRecord | None:
        """A trial to be written, once one is due; None when the end has come and nothing is left."""
        with self._changed:
            while (number := self._first_due()) is None:
                if self._ending and not self._due:
                    return None
                self._changed.wait(GATHER_S if self._due else None)
            del self._due[number]
            return self._records[number]

    def end(self) -> None:
        """No more changes will come: everything is due, what was refused once more."""
        with self._changed:
            self._ending = True
            self._due |= {number: 0.0 for number in self._refused if number is not SWEEP}
            self._changed.notify()

    def abandon(self) -> None:
        """Nothing more may be written."""
        with self._changed:
            self._abandoned = self._ending = True
            self._changed.notify()

    def wait_for_end(self, seconds: float | None = None) -> None:
        """Wait until no more changes will come, or for some time."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending, seconds)

    def wait_until_written(self, writer: threading.Thread, wait_s: float, at_most_s: float) -> str | None:
        """Wait for the thread that writes, for as long as it gets on.

        Args:
            writer: the thread.
            wait_s: how long it may take for a trial.
            at_most_s: how long it may take for all.

        Returns:
            Why it was not waited for any longer; None: it has ended.
        """
        began = since = time.monotonic()
        least = self.behind
        while writer.is_alive():
            now = time.monotonic()
            if self.behind < least:
                least, since = self.behind, now
            left_s, limit_s = min((since + wait_s - now, wait_s), (began + at_most_s - now, at_most_s))
            if left_s <= 0:
                return f"it took longer than {limit_s:.0f} s"
            writer.join(min(left_s, GATHER_S))
        return None

    def _be_due(self, number: int, when: float) -> None:
        self._due[number] = min(self._due.get(number, when), when)

    def _first_due(self) -> int | None:
        now = time.monotonic()
        return next((number for number, when in self._due.items() if self._ending or now >= when), None)
