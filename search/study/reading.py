"""What a study says of its trials, for whoever reads it: their records, and how many count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.errors import UserError
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


def counted(trials: Iterable[FrozenTrial]) -> int:
    """How many trials of a study use its budget up: started, and not replaced by a retry."""
    trials = list(trials)
    replaced = {trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs}
    return sum(t.state is not TrialState.WAITING and t.number not in replaced for t in trials)


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
