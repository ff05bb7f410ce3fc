"""Promotion: every trial freezes at its rungs, and the best of a rung are thawed.

Asynchronous successive halving by promotion (ASHA: Li et al. 2020, arXiv:1810.05934, Algorithm 2): a free
slot thaws the best trial that waits on the highest rung and is among the best 1/eta there, else it asks for
a new trial. Three things are added.

- A cap: at most 1/eta of a rung's trials pass it. With a sampler that gets ever better, each new trial would
  be among the best of its rung, and nearly all would be trained to their ends.
- What is there on the way: when a fifth of the budget is used one trial has trained to its end, so that
  whoever stops early has one, and before each later fifth begins the best is trained to its end if it is
  to become better than those.
- The finish: the last part of the budget trains the frozen trials with the best predictions to their ends,
  for what a sweep finds should have been trained.

In a sweep whose size is in trials alone, all of which have been asked for, a rung lets its best 1/eta pass,
and one trial at least, once nobody is on the way to it: synchronous successive halving (Jamieson and
Talwalkar 2016, arXiv:1502.07943).
"""

from __future__ import annotations

import logging
import math

from search.config.goals import Goal
from search.policy.allowance import Allowance
from search.policy.ends import Ends, Predictor
from search.policy.freezing import Freezing
from search.policy.known_trials import KnownTrials
from search.policy.rungs import Rung, Rungs, rungs_below
from search.study.promotion import Ask, Left, Thaw
from search.study.records import TrialRecord

_LATE = 0.75  # of a part, from when on the next one's trial is looked for
_logger = logging.getLogger(__name__)


class CappedPromotion:
    """Decides what a free slot does, from the trials' records alone.

    Args:
        freezing: its arguments.
        max_epochs: of a trial that trains to its end.
        goal: of the sweep.
        predictor: ranks what the finish trains; None: the highest rung does, and the value there.

    Example:
        >>> promotion = CappedPromotion(Freezing(), max_epochs=9, goal=Goal("val_acc", "maximize"))
        >>> promotion.next(Left(trials=100, epochs=90, budget=90))
        Ask(until=1, why='new')
    """

    def __init__(
        self, freezing: Freezing, max_epochs: int, goal: Goal, predictor: Predictor | None = None
    ) -> None:
        self._max_epochs = max_epochs
        self._goal = goal
        self._eta = freezing.reduction_factor
        self._ends = Ends(goal, predictor)
        self._epochs = rungs_below(max_epochs, freezing.min_resource, self._eta)
        if not self._epochs:
            _logger.info("promotion freezes nothing: no rung lies below the last epoch, %d", max_epochs)
        self._trials = KnownTrials()
        self._allowance = Allowance(max_epochs, freezing.finish, self._epochs, self._trials)
        self._restarts = False  # whether a thawed trial begins again, for want of a checkpoint
        self._rungs = Rungs(self._ladder(), goal)

    def changed(self, record: TrialRecord) -> None:
        """A trial is another than before, in the study."""
        if record.retry_of is not None:  # the retry takes its place
            self._rungs.change(self._trials.drop(record.retry_of), None)
        self._rungs.change(self._trials.put(record), record)
        if self._trials.without_checkpoints != self._restarts:
            self._restarts = not self._restarts
            self._rungs = Rungs(self._ladder(), self._goal)
            for known in self._trials.records.values():
                self._rungs.change(None, known)
            if self._restarts:
                self._tell_of_restarts()

    def next(self, left: Left) -> Thaw | Ask | None:
        """What a free slot does; None: nothing, until a trial that runs has changed, or for good."""
        if self._allowance.is_finish(left):
            finalist = self._finalist(left)
            if finalist is not None or (self._trials.one_ends and not self._allowance.may_begin_anew(left)):
                return finalist
        return (
            self._first_complete(left)
            or self._better_complete(left)
            or self._promoted(left)
            or self._new(left)
            or self._last(left)
            or self._only_one(left)
        )

    def _ladder(self) -> list[tuple[int, int]]:
        """The rungs' epochs, each with how many trials there are to one that passes.

        Where a thawed trial begins again, every second rung is left out, the first one before all: going
        from 3 to 27 then costs 27 epochs in the place of 24; from 1 to 3 it would be 3 in the place of 2.
        """
        if not self._restarts or len(self._epochs) < 2:
            return [(epoch, self._eta) for epoch in self._epochs]
        kept = self._epochs[1::2]
        squared = self._eta**2
        return [(epoch, squared if epoch * squared < self._max_epochs else self._eta) for epoch in kept]

    def _tell_of_restarts(self) -> None:
        epochs = ", ".join(str(epoch) for epoch, _ in self._ladder())
        _logger.warning(
            "trials keep no checkpoints, so one that is thawed trains again from its first epoch, which the "
            "budget pays for: from now on they freeze at fewer epochs (%s); with checkpoints, or "
            "`pruner=asha`, no epoch is trained twice",
            epochs,
        )

    # What a slot may do, in this order

    def _finalist(self, left: Left) -> Thaw | None:
        """The best of the frozen trials whose last epochs the budget still pays."""
        candidates = self._allowance.affordable(left)
        if not candidates:
            return None
        best, by = self._ends.best(candidates, self._trials.records)
        return self._thaw(left, best, None, f"finish: best of {len(candidates)} by {by}")

    def _first_complete(self, left: Left) -> Thaw | None:
        """The best so far, early enough to have trained to its end when the first part of the budget is used.

        The other slots use the budget too while it trains, and so would this one with anything else before.
        """
        if left.budget is None or left.epochs is None or self._trials.one_ends:
            return None
        frozen = self._trials.frozen.values()
        slots = len(self._trials.running) + 1
        part = self._allowance.part(left.budget) - (left.budget - left.epochs)
        before_then = (part - self._epochs_of(self._promoted(left) or self._new(left))) / slots
        some = any(len(rung.standing) >= self._eta for rung in self._rungs)
        if not frozen or before_then >= self._max_epochs or (not some and part > 0):
            return None
        best = min(frozen, key=self._ends.by_rung)
        if before_then >= self._max_epochs - best.resumes_at:
            return None
        return self._thaw(left, best, None, f"the first to its end, best at epoch {len(best.epochs)}")

    def _better_complete(self, left: Left) -> Thaw | None:
        """Before each later part of the budget: the best, if it is to end better than any did or will."""
        if left.budget is None or left.epochs is None:
            return None
        parts, begun = divmod((left.budget - left.epochs) / self._allowance.part(left.budget), 1)
        rivals = self._trials.ending
        if begun < _LATE or not 0 < len(rivals) <= parts + 1:
            return None
        candidates = self._allowance.affordable(left)
        if not candidates:
            return None
        best, by = self._ends.best(candidates, self._trials.records, rivals)
        if not best.frozen:
            return None
        return self._thaw(left, best, None, f"to its end: best of {len(candidates)} by {by}")

    def _promoted(self, left: Left) -> Thaw | None:
        """The best that waits on the highest rung that lets it pass."""
        for rung in reversed(self._rungs):
            if rung.passed < rung.may_pass and rung.waiting and rung.place(rung.waiting[0]) <= rung.may_pass:
                thaw = self._beyond(left, rung)
                if thaw is not None:
                    return thaw
        return None

    def _beyond(self, left: Left, rung: Rung) -> Thaw | None:
        best = rung.waiting[0]
        why = f"{_ordinal(rung.place(best))} of {len(rung.standing)} at epoch {rung.epochs}"
        return self._thaw(left, self._trials.records[best[1]], rung.beyond, why)

    def _new(self, left: Left) -> Ask | None:
        until = next((rung.epochs for rung in self._rungs), None)
        return Ask(until, "new") if left.trials > 0 and self._allowance.pays_new(left, until) else None

    def _epochs_of(self, choice: Thaw | Ask | None) -> int:
        if choice is None:
            return 0
        begins = self._trials.records[choice.number].resumes_at if isinstance(choice, Thaw) else 0
        return (choice.until or self._max_epochs) - begins

    def _thaw(self, left: Left, record: TrialRecord, until: int | None, why: str) -> Thaw | None:
        return Thaw(record.number, until, why) if self._allowance.pays_thaw(left, record, until) else None

    def _last(self, left: Left) -> Thaw | None:
        """Of the lowest rung that nobody comes to any more: its best third, and one at least."""
        if left.trials > 0:
            return None
        running = self._trials.running.values()
        arriving = min((record.until or math.inf for record in running), default=math.inf)
        for rung in self._rungs:
            if arriving <= rung.epochs:
                return None
            if rung.waiting and rung.passed < max(1, rung.may_pass):
                return self._beyond(left, rung)
        return None

    def _only_one(self, left: Left) -> Thaw | None:
        """Where all that passed have failed: the best that is left, so that the sweep has one."""
        if self._trials.one_ends or self._trials.running or not self._trials.frozen:
            return None
        best = min(self._trials.frozen.values(), key=self._ends.by_rung)
        return self._thaw(left, best, None, "no other is left to train to its end")


def _ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
