"""What may become of a trial: which state follows which, how it ends, what a report of it leads to.

WAITING -> RUNNING -> COMPLETE   its value is the metric of its last epoch
                   -> PRUNED     by the pruner, or because it diverged
                   -> FAIL       with the reason
WAITING -> FAIL                  enqueued with values that the space does not hold, or lost before it began
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from optuna.trial import TrialState

from search.study.failpoints import DurableWrite
from search.study.records import StopReason

_FOLLOWING: Mapping[TrialState, frozenset[TrialState]] = {
    TrialState.WAITING: frozenset({TrialState.RUNNING, TrialState.FAIL}),
    TrialState.RUNNING: frozenset({TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}),
    TrialState.COMPLETE: frozenset(),
    TrialState.PRUNED: frozenset(),
    TrialState.FAIL: frozenset(),
}
_ENDS: Mapping[StopReason, TrialState] = {
    StopReason.FINISHED: TrialState.COMPLETE,
    StopReason.EARLY: TrialState.COMPLETE,
    StopReason.PRUNED: TrialState.PRUNED,
    StopReason.DIVERGED: TrialState.PRUNED,
}
_WRITES: Mapping[TrialState, DurableWrite] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "prune",
    TrialState.FAIL: "fail",
}


class IllegalTransition(AssertionError):
    """A state change that no trial may make: a fault of the sweep's own code, never of a user."""


def check_transition(number: int, now: TrialState, then: TrialState) -> None:
    """Refuse a change of a trial's state that is not in the table above.

    Args:
        number: of the trial.
        now: its state in the study.
        then: what it is to become.

    Raises:
        IllegalTransition: it may not.
    """
    if then not in _FOLLOWING[now]:
        raise IllegalTransition(f"trial {number} is {now.name} and cannot become {then.name}")


class Decision(enum.Enum):
    """What the engine answers to a worker's report."""

    CONTINUE = "continue"
    FREEZE = "freeze"  # the trial has trained as far as it was handed out; it may be thawed
    PRUNE = "prune"  # the trial has been pruned
    COMPLETE = "complete"  # the trial has trained to its end
    STOP = "stop"  # the attempt ends; the trial has ended otherwise, or waits for a resume


@dataclass(frozen=True)
class TrialEnd:
    """How a trial ends; the state that it ends in follows from the reason.

    Example:
        >>> TrialEnd(StopReason.PRUNED, value=0.4).state.name
        'PRUNED'
    """

    reason: StopReason
    value: float | None = None  # of one that is COMPLETE
    error: str | None = None

    @property
    def state(self) -> TrialState:
        """COMPLETE, PRUNED or FAIL."""
        return _ENDS.get(self.reason, TrialState.FAIL)

    @property
    def write(self) -> DurableWrite:
        """What writing it is called at the fail points."""
        return _WRITES[self.state]
