"""Which trial would end best: what a model foretells or, without one, what the trials' rungs tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from search.config.goals import Goal
from search.study.records import TrialRecord


class Predictor(Protocol):
    """What a model of learning curves foretells."""

    def ends(self, records: Collection[TrialRecord], numbers: Sequence[int]) -> Sequence[float] | None:
        """How good these trials' last epochs would be, smaller being better; None: it cannot tell."""


class Ends:
    """Compares frozen trials by how they would end.

    Args:
        goal: of the sweep.
        predictor: foretells it; None: the highest rung does, and the value there.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> def frozen(number: int, *values: float) -> TrialRecord:
        ...     told = [Epoch(n, {"val_acc": value}, 0, "host:1") for n, value in enumerate(values, 1)]
        ...     return TrialRecord(number, TrialState.RUNNING, {}, tuple(told))
        >>> best, by = Ends(Goal("val_acc", "maximize")).best([frozen(0, 0.8), frozen(1, 0.5, 0.6)], {})
        >>> best.number, by
        (1, 'rung and value')
    """

    def __init__(self, goal: Goal, predictor: Predictor | None = None) -> None:
        self._goal = goal
        self._predictor = predictor

    def best(
        self,
        frozen: Sequence[TrialRecord],
        known: Mapping[int, TrialRecord],
        rivals: Sequence[TrialRecord] = (),
    ) -> tuple[TrialRecord, str]:
        """The best of these, and by what; one of the rivals if no frozen one is to become better.

        Args:
            frozen: one at least.
            known: every trial, by number, to learn from.
            rivals: trials that have trained to their ends, or are about to.
        """
        numbers = sorted(record.number for record in [*frozen, *rivals] if record.epochs)
        ends = self._predictor.ends(known.values(), numbers) if self._predictor else None
        if ends is not None:
            return known[min(zip(ends, numbers, strict=True))[1]], "prediction"
        best = min(frozen, key=self.by_rung)
        # Compared where the frozen one is.
        as_far = [each for each in rivals if len(each.epochs) >= len(best.epochs)]
        return min([*as_far, best], key=lambda each: self._at(each, best)), "rung and value"

    def by_rung(self, record: TrialRecord) -> tuple[int, float, int]:
        """To sort by, the best first: the higher the rung the better."""
        return -len(record.epochs), self._at(record, record), record.number

    def _at(self, record: TrialRecord, other: TrialRecord) -> float:
        """How good a trial was at the epoch that another one has got to."""
        return self._goal.sort_key(record.epochs[len(other.epochs) - 1].metrics[self._goal.metric])
