"""What a study says of its trials, for whoever reads it: their records, and how many count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.errors import UserError
from search.study.changes import Changes
from search.study.records import Outcome, TrialRecord, trial_key


def records_of(study: optuna.Study, frozen: Collection[int] = ()) -> list[TrialRecord]:
    """The records of a study's started trials, in the order of their numbers.

    Args:
        study: the study.
        frozen: numbers of trials that are shown to samplers as PRUNED, and are RUNNING.
    """
    trials = study.get_trials(deepcopy=False)
    return [
        TrialRecord.of(trial, TrialState.RUNNING if trial.number in frozen else None)
        for trial in trials
        if trial.state is not TrialState.WAITING
    ]


class TrialCount:
    """How many trials of a study use its budget up: started, and not replaced by a retry.

    Args:
        counts: whether a trial does, as far as nobody can tell by its state.

    Example:
        >>> study = optuna.create_study()
        >>> study.enqueue_trial({"x": 0.5})
        >>> count = TrialCount()
        >>> before, _ = count.of(study.get_trials(deepcopy=False)), study.ask()
        >>> before, count.of(study.get_trials(deepcopy=False))
        (0, 1)
    """

    def __init__(self, counts: Callable[[FrozenTrial], bool] = lambda trial: True) -> None:
        self._counts = counts
        self._changes = Changes()
        self._started: set[int] = set()
        self._replaced: set[int] = set()

    def of(self, trials: Sequence[FrozenTrial]) -> int:
        """How many they are.

        Args:
            trials: all of the study; those are looked at that have changed since the last time.
        """
        for trial in self._changes.since(trials):
            if "retry_of" in trial.user_attrs:
                self._replaced.add(trial.user_attrs["retry_of"])
            started = trial.state is not TrialState.WAITING and self._counts(trial)
            (self._started.add if started else self._started.discard)(trial.number)
        return len(self._started) - len(self._started & self._replaced)


def failed_for_good(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have failed and that no retry stands for, by number."""
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retry_of") for trial in trials}
    failed = (trial for trial in trials if trial.state is TrialState.FAIL and trial.number not in retried)
    # In sweeps of earlier versions those that diverged are FAIL.
    return [trial for trial in failed if TrialRecord.of(trial).outcome is Outcome.FAILED]


def check_unfinished(number: int, unfinished: Sequence[int], sweep: str) -> None:
    """Refuse to skip a trial that is not among the unfinished ones.

    Raises:
        UserError: names those that are.
    """
    if number not in unfinished:
        remedy = f"give the number of one that it has: {', '.join(map(trial_key, unfinished))}"
        raise UserError(
            f"`skip_trial={number}`: sweep {sweep!r} has no such unfinished trial; "
            f"{remedy if unfinished else 'all have ended: leave it out'}"
        )
