"""The trials of a sweep that freezes some, as they are now: which are frozen, which run, which have ended."""

from __future__ import annotations

from collections.abc import Iterable

from optuna.trial import TrialState

from search.study.records import TrialRecord


class KnownTrials:
    """Records by number, grouped as they change.

    Example:
        >>> trials = KnownTrials()
        >>> trials.put(TrialRecord(0, TrialState.RUNNING, {}))
        >>> list(trials.running), trials.one_ends
        ([0], True)
    """

    def __init__(self) -> None:
        self.records: dict[int, TrialRecord] = {}
        self.frozen: dict[int, TrialRecord] = {}
        self.running: dict[int, TrialRecord] = {}  # with a worker, or about to be
        self._complete: set[int] = set()
        self._kept: set[int] = set()  # trials that have trained, with a checkpoint,
        self._unkept: set[int] = set()  # and without

    def put(self, record: TrialRecord) -> TrialRecord | None:
        """Take a record in; returns the one before."""
        number = record.number
        before = self.records.get(number)
        self._ungroup(number)
        self.records[number] = record
        if record.frozen:
            self.frozen[number] = record
        elif record.state is TrialState.RUNNING:
            self.running[number] = record
        elif record.state is TrialState.COMPLETE:
            self._complete.add(number)
        if record.epochs and not record.checkpoint_dropped:
            (self._unkept if record.epochs[-1].checkpoint is None else self._kept).add(number)
        return before

    def drop(self, number: int) -> TrialRecord | None:
        """Forget a trial; returns what was known of it."""
        self._ungroup(number)
        return self.records.pop(number, None)

    def _ungroup(self, number: int) -> None:
        self.frozen.pop(number, None)
        self.running.pop(number, None)
        for group in (self._complete, self._kept, self._unkept):
            group.discard(number)

    @property
    def unended(self) -> Iterable[TrialRecord]:
        """Those that are frozen and those that run."""
        return (*self.frozen.values(), *self.running.values())

    @property
    def one_ends(self) -> bool:
        """Whether a trial has trained to its end or is about to."""
        return bool(self._complete) or any(record.until is None for record in self.running.values())

    @property
    def ending(self) -> list[TrialRecord]:
        """The trials that have trained to their ends or are about to."""
        complete = (self.records[number] for number in sorted(self._complete))
        return [*complete, *(record for record in self.running.values() if record.until is None)]

    @property
    def without_checkpoints(self) -> bool:
        """Whether trials have trained, and none of them has kept a checkpoint."""
        return bool(self._unkept) and not self._kept
