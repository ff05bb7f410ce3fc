"""The rungs at which trials freeze, and who stands on each: kept sorted as trials change.

A trial stands on every rung whose epochs it has trained, with the value that it had there; one that diverged
or failed on its way to a rung stands there too, as the worst. It waits on the highest of its rungs while it
is frozen. It has passed a rung if it was handed out beyond it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from optuna.trial import TrialState

from search.config.goals import Goal
from search.study.records import StopReason, TrialRecord

# What tells nothing of the parameters: somebody ended it, or nobody began.
_NO_RESULT = (StopReason.SKIPPED, StopReason.INVALID, StopReason.EXTERNAL)
_Place = tuple[float, int]  # how good a trial is, smaller being better, and its number


def rungs_below(max_epochs: int, first: int, eta: int) -> list[int]:
    """The epochs `first`, `first * eta`, ... that lie below the last one.

    Example:
        >>> rungs_below(27, first=1, eta=3)
        [1, 3, 9]
    """
    found: list[int] = []
    rung = first
    while rung < max_epochs:
        found.append(rung)
        rung *= eta
    return found


@dataclass
class Rung:
    """An epoch at which trials freeze, with those that got there, best first.

    Example:
        >>> rung = Rung(epochs=1, beyond=3, of=3, standing=[(-0.9, 4), (-0.8, 2), (-0.5, 0)])
        >>> rung.may_pass
        1
    """

    epochs: int
    beyond: int | None  # the next rung; None: the end
    of: int  # one in so many trials goes on
    standing: list[_Place] = field(default_factory=list)  # all that got here, or failed on their way
    waiting: list[_Place] = field(default_factory=list)  # frozen here
    passed: int = 0

    @property
    def may_pass(self) -> int:
        """How many trials the rung lets go on by now."""
        return len(self.standing) // self.of

    def place(self, waiting: _Place) -> int:
        """How many trials are better here, and one."""
        return bisect.bisect_left(self.standing, waiting) + 1


class Rungs:
    """The rungs of a sweep, from the lowest, with the trials on them.

    Args:
        ladder: the rungs' epochs, rising, each with what `Rung.of` says.
        goal: of the sweep.

    Example:
        >>> from search.study.hand_outs import HandOut
        >>> from search.study.records import Epoch
        >>> rungs = Rungs([(1, 3), (3, 3)], Goal("val_acc", "maximize"))
        >>> first = HandOut(until=1, cost=1, reports=0, why="new")
        >>> epoch = Epoch(1, {"val_acc": 0.5}, timestamp_ms=0, worker="host:1")
        >>> rungs.change(None, TrialRecord(0, TrialState.RUNNING, {}, (epoch,), hand_outs=(first,)))
        >>> [len(rung.waiting) for rung in rungs]
        [1, 0]
    """

    def __init__(self, ladder: Sequence[tuple[int, int]], goal: Goal) -> None:
        epochs = [epoch for epoch, _ in ladder]
        self._rungs = [
            Rung(epoch, beyond, of)
            for (epoch, of), beyond in zip(ladder, [*epochs[1:], None], strict=bool(ladder))
        ]
        self._goal = goal

    def __iter__(self) -> Iterator[Rung]:
        return iter(self._rungs)

    def __reversed__(self) -> Iterator[Rung]:
        return reversed(self._rungs)

    def change(self, before: TrialRecord | None, now: TrialRecord | None) -> None:
        """A trial is another than before; None: it is not there."""
        for record, put in ((before, False), (now, True)):
            for rung in self._rungs if record is not None else ():
                assert record is not None
                key = self._key(record, rung)
                if key is not None:
                    self._set(rung, record, (key, record.number), put)

    def _set(self, rung: Rung, record: TrialRecord, place: _Place, put: bool) -> None:
        change = bisect.insort if put else _remove
        change(rung.standing, place)
        trained = len(record.epochs)
        if record.frozen and rung.epochs <= trained and (rung.beyond is None or trained < rung.beyond):
            change(rung.waiting, place)
        if trained >= rung.epochs and (record.until is None or record.until > rung.epochs):
            rung.passed += 1 if put else -1

    def _key(self, record: TrialRecord, rung: Rung) -> float | None:
        """How good a trial was at a rung; None if it does not stand there."""
        if len(record.epochs) >= rung.epochs:
            return self._goal.sort_key(record.epochs[rung.epochs - 1].metrics[self._goal.metric])
        below = self._rungs.index(rung) - 1 if rung is not self._rungs[0] else None
        on_its_way = below is None or len(record.epochs) >= self._rungs[below].epochs
        return math.inf if on_its_way and has_failed(record) else None


def has_failed(record: TrialRecord) -> bool:
    """Whether it has ended without a value, by what it is."""
    reason = record.stop_reason
    diverged = reason is StopReason.DIVERGED
    return diverged or (record.state is TrialState.FAIL and reason not in _NO_RESULT)


def _remove(places: list[_Place], place: _Place) -> None:
    del places[bisect.bisect_left(places, place)]
