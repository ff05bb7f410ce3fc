"""What a trial teaches by how it ended, beyond the values that it reported.

The one place that tells samplers of a trial that diverged or ran out of memory. In the study the first is
PRUNED and violates a constraint by the epochs that it lacks; the second is FAIL, which Optuna's samplers pass
over.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, Trial

from search.study.changes import Changes

CONSTRAINT = "diverged"


class Lesson(enum.Enum):
    """What is known of a trial's parameters."""

    FINE = "fine"  # what its values tell, if it has any
    DIVERGED = "diverged"  # a result, and the worst
    INFEASIBLE = "infeasible"  # no result: there is not enough memory for such


# By the trial's `stop_reason`; "nan" is what earlier versions called a trial that diverged.
_LESSONS: Mapping[str, Lesson] = {
    "diverged": Lesson.DIVERGED,
    "nan": Lesson.DIVERGED,
    "oom": Lesson.INFEASIBLE,
}


def lesson(trial: FrozenTrial) -> Lesson:
    """What one of the study's trials teaches; one that has not ended is fine."""
    known = _LESSONS.get(trial.user_attrs.get("stop_reason", ""))
    # A killed driver may have left a reason without the end that it is for.
    return known if known is not None and trial.state.is_finished() else Lesson.FINE


class Lessons:
    """The trials of a study that are not fine, without those that were tried again: there the retry tells.

    Example:
        >>> from optuna.trial import TrialState, create_trial
        >>> failed = create_trial(state=TrialState.FAIL, user_attrs={"stop_reason": "oom"})
        >>> failed.number = 3
        >>> Lessons().of([failed])
        {3: <Lesson.INFEASIBLE: 'infeasible'>}
    """

    def __init__(self) -> None:
        self._changes = Changes()
        self._taught: dict[int, Lesson] = {}
        self._retried: set[int] = set()

    def of(self, trials: Sequence[FrozenTrial]) -> dict[int, Lesson]:
        """By number.

        Args:
            trials: all of the study; those are looked at that have changed since the last time.
        """
        for trial in self._changes.since(trials):
            self._taught.pop(trial.number, None)
            if (known := lesson(trial)) is not Lesson.FINE:
                self._taught[trial.number] = known
            if "retry_of" in trial.user_attrs:
                self._retried.add(trial.user_attrs["retry_of"])
        return {number: known for number, known in self._taught.items() if number not in self._retried}


def mark_diverged(trial: Trial, epochs_left: int) -> None:
    """Let the samplers know, before the trial ends, that it diverged, with `epochs_left` still to train."""
    if CONSTRAINT not in trial.constraints:  # else a killed driver had got so far
        trial.set_constraint(CONSTRAINT, max(1, epochs_left))
