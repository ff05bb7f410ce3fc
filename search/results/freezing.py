"""Trials that freeze and are thawed, in words and counts: what people are shown of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from search.config.goals import Goal
from search.study.hand_outs import HandOut
from search.study.records import Outcome, TrialRecord

_NEW = "new"  # why a trial was handed out of which there is nothing more to say
_TIMES = {1: "once", 2: "twice"}


@dataclass(frozen=True)
class Rung:
    """An epoch at which trials freeze, and what became of those that came there.

    Example:
        >>> Rung(epochs=3, reached=9, passed=3, frozen=5).reached
        9
    """

    epochs: int
    reached: int
    passed: int  # handed out beyond it
    frozen: int  # that wait there now


@dataclass(frozen=True)
class Choice:
    """What a free slot did.

    Example:
        >>> hand_out = HandOut(until=27, cost=18, reports=140, why="1st of 9 at epoch 9")
        >>> str(Choice(TrialRecord(14, TrialState.RUNNING, {}), hand_out, thawed=True))
        'thawed trial-014: 1st of 9 at epoch 9'
    """

    record: TrialRecord
    hand_out: HandOut
    thawed: bool

    def __str__(self) -> str:
        return self.said_of(self.record.key)

    def said_of(self, name: str) -> str:
        """The same of a trial that is called something else than by its key."""
        did = f"{'thawed' if self.thawed else 'began'} {name}"
        return did if self.hand_out.why == _NEW else f"{did}: {self.hand_out.why}"


def freezes(records: Iterable[TrialRecord]) -> bool:
    """Whether a sweep hands its trials out rung by rung."""
    return any(record.hand_outs for record in records)


def state_text(record: TrialRecord, max_epochs: int) -> str:
    """A trial's state in words: `frozen at 3 of 27, thawed once`."""
    text = str(record.outcome)
    if record.frozen:
        text = f"frozen at {len(record.epochs)} of {max_epochs}"
    return f"{text}, {thaws}" if (thaws := thaws_text(record)) else text


def thaws_text(record: TrialRecord) -> str:
    """`thawed twice`; empty if it never was."""
    return f"thawed {_TIMES.get(record.thawed, f'{record.thawed} times')}" if record.thawed else ""


def rungs(records: Sequence[TrialRecord]) -> list[Rung]:
    """The rungs of a sweep, the lowest first; none if it freezes no trials."""
    epochs = {out.until for record in records for out in record.hand_outs if out.until is not None}
    return [_rung(epoch, records) for epoch in sorted(epochs)]


def choices(records: Iterable[TrialRecord]) -> list[Choice]:
    """What free slots did, the first one first, by how many epochs the study held."""
    made = [
        Choice(record, hand_out, thawed=place > 0)
        for record in records
        for place, hand_out in enumerate(record.hand_outs)
    ]
    return sorted(made, key=lambda choice: (choice.hand_out.reports, choice.record.number))


def newest_choice(record: TrialRecord) -> Choice | None:
    """The last one about a trial; None if it is not handed out rung by rung."""
    return Choice(record, record.hand_outs[-1], record.thawed > 0) if record.hand_outs else None


def furthest_frozen(records: Iterable[TrialRecord], goal: Goal) -> list[TrialRecord]:
    """The frozen trials: those first that have trained furthest, of several the best there."""
    return sorted((record for record in records if record.frozen), key=lambda each: _how_far(each, goal))


def best_unfinished(records: Iterable[TrialRecord], goal: Goal) -> TrialRecord | None:
    """Of the trials that may go on the one that has trained furthest, and of several the best there."""
    may_go_on = [record for record in records if record.state is TrialState.RUNNING and record.epochs]
    return min(may_go_on, key=lambda record: _how_far(record, goal), default=None)


def best_unfinished_text(record: TrialRecord, max_epochs: int) -> str:
    """`trial-014, frozen at 9 of 27`."""
    how = "frozen" if record.outcome is Outcome.FROZEN else "stopped"
    return f"{record.key}, {how} at {len(record.epochs)} of {max_epochs}"


def _how_far(record: TrialRecord, goal: Goal) -> tuple[int, float, int]:
    last = record.epochs[-1]
    return -len(record.epochs), goal.sort_key(last.metrics[goal.metric]), record.number


def _rung(epoch: int, records: Sequence[TrialRecord]) -> Rung:
    there = [record for record in records if record.hand_outs and len(record.epochs) >= epoch]
    passed = sum(record.until is None or record.until > epoch for record in there)
    return Rung(epoch, len(there), passed, sum(r.frozen and len(r.epochs) == epoch for r in there))
