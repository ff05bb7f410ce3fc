"""A trial ended from outside of its driver, as by Optuna's API: the driver notices it at the next epoch."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Mapping

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.lease import driven_by
from search.study.opening import existing_study
from search.study.optuna_private import storage_id
from search.study.reading import record_of
from search.study.records import StopReason, TrialRecord, trial_key
from search.study.writes import SweepStorage

_WHY = "stopped by hand"


def stop_trial(config: SweepConfig, number: int, *, fail: bool = False) -> tuple[TrialRecord, str | None]:
    """End a trial that has not ended: it keeps its epochs, and is not trained any further.

    A driver at work meets the end when it writes the trial's next epoch, and has its worker stop. So this
    needs no lease: the study lets a trial end once, whoever was first.

    Args:
        config: the sweep.
        number: of the trial.
        fail: end it as failed, so that it says nothing of its parameters; else as pruned, and samplers learn
            from it.

    Returns:
        The trial as it is now, and host and pid of the driver at work; None: nobody drives the sweep.

    Raises:
        UserError: it has ended, or there is none of that number; or the study cannot be used.
    """
    with existing_study(config) as (storage, study):
        trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
        trial = trials.get(number)
        if trial is None or trial.state.is_finished():
            raise UserError(_refusal(config, number, trials))
        try:
            _end(storage, trial, fail)
        except UpdateFinishedTrialError as error:  # between the look and the write
            now = {each.number: each for each in study.get_trials()}
            raise UserError(_refusal(config, number, now)) from error
        ended = next(each for each in study.get_trials() if each.number == number)
        return record_of(ended), driven_by(storage.engine, config.name)


def _end(storage: SweepStorage, trial: FrozenTrial, fail: bool) -> None:
    ended, trial_id, values = copy.copy(trial), storage_id(trial), trial.intermediate_values
    failed = fail or trial.state is TrialState.WAITING  # that one teaches nothing
    ended.state = TrialState.FAIL if failed else TrialState.PRUNED
    ended.datetime_complete = datetime.datetime.now()
    if not failed and values:
        ended.value = values[max(values)]  # the last, as Optuna has it
    with storage.joined():
        storage.write_state(trial_id, ended)  # first: it holds the driver's writes off
        if failed:
            storage.set_trial_user_attr(trial_id, "error", _WHY)
            storage.set_trial_user_attr(trial_id, "stop_reason", StopReason.SKIPPED.value)


def _refusal(config: SweepConfig, number: int, trials: Mapping[int, FrozenTrial]) -> str:
    if number not in trials:
        why = f"sweep {config.name!r} has no trial {number}"
    else:
        why = f"{trial_key(number)} has ended already ({record_of(trials[number]).outcome})"
    others = [trial_key(each.number) for each in trials.values() if not each.state.is_finished()]
    remedy = f"give one that has not ended: {', '.join(others)}" if others else "all have ended"
    return f"{why}; {remedy}"
