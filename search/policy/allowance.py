"""What the budget of a sweep that freezes trials still pays, and which part of it is for what."""

from __future__ import annotations

from collections.abc import Sequence

from search.policy.known_trials import KnownTrials
from search.study.promotion import Left
from search.study.records import TrialRecord

_PART = 0.2  # of the budget: when the first is used a trial is at its end, in each later one another may be
_LEAST_TRAININGS = 2  # that a part is enough for


class Allowance:
    """A budget in epochs, as the trials so far leave it; without one all is paid.

    Args:
        max_epochs: of a trial that trains to its end.
        finish: the last share of the budget, which trains frozen trials to their ends.
        rungs: the epochs at which trials freeze, rising.
        trials: as they are at each moment.

    Example:
        >>> allowance = Allowance(max_epochs=9, finish=0.2, rungs=[1, 3], trials=KnownTrials())
        >>> allowance.pays_new(Left(trials=100, epochs=9, budget=90), until=1)
        True
        >>> allowance.is_finish(Left(trials=100, epochs=18, budget=90))
        True
    """

    def __init__(self, max_epochs: int, finish: float, rungs: Sequence[int], trials: KnownTrials) -> None:
        self._max_epochs = max_epochs
        self._finish = finish
        self._far = rungs[max(0, len(rungs) // 2 - 1)] if rungs else 0
        self._trials = trials

    def part(self, budget: int) -> float:
        """Epochs of a fifth of the budget; of a small budget more, for a training would take most of them."""
        return max(_PART * budget, _LEAST_TRAININGS * self._max_epochs)

    def is_finish(self, left: Left) -> bool:
        """Whether the rest of the budget is for training to the end, which takes one training at least."""
        if left.budget is None or left.epochs is None or not self._finish:
            return False
        return left.epochs <= max(self._finish * left.budget, self._max_epochs)

    def may_begin_anew(self, left: Left) -> bool:
        """Whether nobody is left to be trained on, and the rest is enough for a whole training."""
        assert left.epochs is not None
        return not self._trials.unended and left.epochs >= self._max_epochs

    def affordable(self, left: Left) -> list[TrialRecord]:
        """The frozen trials that the budget pays the ends of; those that have got far, if there are such."""
        assert left.epochs is not None
        frozen = self._trials.frozen.values()
        within = [each for each in frozen if self._max_epochs - each.resumes_at <= left.epochs]
        return [each for each in within if len(each.epochs) >= self._far] or within

    def pays_new(self, left: Left, until: int | None) -> bool:
        """Whether a new trial may be trained up to an epoch; None: to its end."""
        cost = until or self._max_epochs
        return self._pays(left, cost, 0 if until is None else self._still(cost))

    def pays_thaw(self, left: Left, record: TrialRecord, until: int | None) -> bool:
        """Whether a frozen trial may be trained on up to an epoch; None: to its end."""
        target = until or self._max_epochs
        return self._pays(left, target - record.resumes_at, 0 if until is None else self._still(target))

    def _still(self, epoch: int) -> int:
        """Epochs that a trial which freezes at an epoch then needs to its end."""
        return self._max_epochs - (0 if self._trials.without_checkpoints else epoch)

    def _pays(self, left: Left, cost: int, after: int) -> bool:
        """Whether it fits, and still lets one trial be trained to its end if none is or is about to be.

        Args:
            left: of the sweep's size.
            cost: epochs.
            after: epochs that the same trial would then need to its end.
        """
        if left.epochs is None:
            return True
        if cost > left.epochs:
            return False
        if self._trials.one_ends or after == 0 or cost + self._max_epochs <= left.epochs:
            return True
        needed = min([after, *map(self._to_its_end, self._trials.unended)])
        impossible = needed > left.epochs  # so that nothing can be kept for it
        return impossible or cost + needed <= left.epochs

    def _to_its_end(self, record: TrialRecord) -> int:
        """Epochs that it needs beyond those that it was handed out for."""
        if record.frozen:
            return self._max_epochs - record.resumes_at
        return self._still(record.until or self._max_epochs)
