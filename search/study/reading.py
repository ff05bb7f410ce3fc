"""What a study says of its trials, for whoever reads it: their records, and how many count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.errors import UserError
from search.study.changes import Changes
from search.study.hand_outs import hand_outs_of
from search.study.records import DROPPED, Outcome, StopReason, TrialRecord, trial_key
from search.study.stored_epochs import epochs_of
from search.text import encodable


def record_of(trial: FrozenTrial, state: TrialState | None = None) -> TrialRecord:
    """The record of a trial of the study.

    Args:
        trial: as the study has it.
        state: its state in the database, where memory has another.
    """
    state = trial.state if state is None else state
    attrs = trial.user_attrs
    epochs = epochs_of(trial)
    # Details are written before the state they explain: a driver killed between the two left some that
    # explain nothing.
    reason = StopReason(attrs.get("stop_reason", StopReason.EXTERNAL)) if state.is_finished() else None
    failed = state is TrialState.FAIL or reason is StopReason.DIVERGED
    return TrialRecord(
        number=trial.number,
        state=state,
        params=dict(trial.params),
        epochs=epochs,
        value=trial.value if state is TrialState.COMPLETE else None,
        started_ms=_milliseconds(trial.datetime_start) or 0,
        ended_ms=_milliseconds(trial.datetime_complete),
        stop_reason=reason,
        error=_error(attrs) if failed else None,
        times_lost=attrs.get("times_lost", 0),
        drivers_lost=_drivers_lost(attrs, len(epochs)),
        run_id=attrs.get("mlflow_run_id"),
        retry_of=attrs.get("retry_of"),
        checkpoint_dropped=attrs.get(DROPPED) == len(epochs),
        hand_outs=hand_outs_of(attrs),
    )


def records_of(study: optuna.Study, frozen: Collection[int] = ()) -> list[TrialRecord]:
    """The records of a study's started trials, in the order of their numbers.

    Args:
        study: the study.
        frozen: numbers of trials that are shown to samplers as PRUNED, and are RUNNING.
    """
    trials = study.get_trials(deepcopy=False)
    return [
        record_of(trial, TrialState.RUNNING if trial.number in frozen else None)
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
    return [trial for trial in failed if record_of(trial).outcome is Outcome.FAILED]


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


def _drivers_lost(attrs: Mapping[str, Any], epochs: int) -> int:
    count, epochs_then = attrs.get("drivers_lost", (0, epochs))
    return int(count) if epochs == epochs_then else 0


def _error(attrs: Mapping[str, Any]) -> str | None:
    """A trial's error; earlier versions, and guests, let its text in as it came."""
    error = attrs.get("error")
    return None if error is None else encodable(str(error))


def _milliseconds(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
