"""The only writer of the study: every change of a trial's state goes through here.

Each change is one transaction, where the storage has them. Elsewhere the order of writes makes a crash
harmless: details (metrics, reasons) come before the fact that refers to them (the intermediate value,
the state), so a half-done change is simply done again.
"""

from __future__ import annotations

import dataclasses
import math
import uuid
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from search.config import SweepConfig, definition_difference
from search.errors import UserError
from search.failpoints import DurableWrite, durable
from search.mirror import StudyMirror
from search.pruners import make_pruner
from search.records import Epoch, StopReason, TrialRecord, epoch_attr
from search.samplers import make_sampler

_END_STATES: dict[TrialState, DurableWrite] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "prune",
    TrialState.FAIL: "fail",
}


class IllegalTransition(AssertionError):
    """A state change that no trial may make: a fault of the sweep's own code, never of a user."""


class Ledger:
    """A study and the trials of it that this driver is working on.

    Args:
        study: the study, with its sampler and pruner.
        mirror: the study's storage.
        config: the sweep; its definition is the study's.
    """

    def __init__(self, study: optuna.Study, mirror: StudyMirror, config: SweepConfig) -> None:
        self.study = study
        self._mirror = mirror
        self._config = config
        self._live: dict[int, tuple[Trial, TrialRecord]] = {}
        trials = study.get_trials(deepcopy=False)
        self._asked = counted(trials)
        self._budget = config.budget

    @classmethod
    def open(cls, config: SweepConfig, storage: BaseStorage) -> Ledger:
        """Open the sweep's study, creating it if it is new.

        Raises:
            UserError: the study was made with another definition; shows the difference.
        """
        optuna.create_study(
            study_name=config.name, storage=storage, load_if_exists=True, direction=config.direction
        )
        mirror = StudyMirror(storage, config.name)
        study = optuna.load_study(
            study_name=config.name,
            storage=mirror,
            pruner=make_pruner(
                config.pruner, config.max_epochs, config.direction, config.pruner_args, config.classes
            ),
        )
        asked = len(study.get_trials(deepcopy=False))
        study.sampler = make_sampler(
            config.sampler, config.space, config.seed, asked=asked, args=config.sampler_args
        )
        attrs = study.user_attrs
        if "definition" in attrs:
            check_same_definition(config, attrs["definition"])
        else:
            for params in config.enqueue:
                study.enqueue_trial(params, skip_if_exists=True)  # a driver killed right here does it again
            study.set_user_attr("sweep_id", uuid.uuid4().hex)
            study.set_user_attr("definition", config.definition())
        return cls(study, mirror, config)

    @property
    def sweep_id(self) -> str:
        """Identity of this study: a sweep deleted and launched again under its name is another one."""
        return str(self.study.user_attrs["sweep_id"])

    @property
    def budget(self) -> int:
        """Trials the sweep ends with; a grid ends when it is exhausted."""
        return self._budget

    def remaining(self) -> int:
        """Trials that may still be asked for."""
        return max(0, self._budget - self._asked)

    def unfinished(self) -> list[int]:
        """Numbers of the trials that an earlier driver left RUNNING, oldest first."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return sorted(trial.number for trial in running if trial.number not in self._live)

    def ask(self) -> TrialRecord:
        """A new trial, RUNNING, with its parameters sampled (or those of a failed one, if it is a retry)."""
        assert self.remaining() > 0, "asked beyond the budget"
        with durable("ask"), self._mirror.at_once():
            trial = self.study.ask()
            self._asked += 1
            return self._hold(trial)

    def adopt(self, number: int) -> TrialRecord:
        """Take an unfinished trial on: the same number and parameters, its epochs kept.

        A retry that was killed before all of its parameters were written gets the rest now.
        """
        frozen = self.study.get_trials(deepcopy=False)[number]
        if frozen.state is not TrialState.RUNNING:
            raise IllegalTransition(f"trial {number} is {frozen.state.name} and cannot be adopted")
        return self._hold(Trial(self.study, frozen._trial_id))

    def record(self, number: int) -> TrialRecord:
        """What is known of one trial."""
        if number in self._live:
            return self._live[number][1]
        return TrialRecord.of(self.study.get_trials(deepcopy=False)[number])

    def records(self) -> list[TrialRecord]:
        """What is known of all trials that were started, in the order of their numbers."""
        return records_of(self.study)

    def report(self, number: int, epoch: Epoch) -> TrialRecord:
        """Write a finished epoch down; one that is known already changes nothing."""
        trial, record = self._running(number)
        if any(known.epoch == epoch.epoch for known in record.epochs):
            return record
        value = epoch.metrics[self._config.metric]
        assert math.isfinite(value), f"the worker lets no {self._config.metric}={value} pass"
        with durable("report"), self._mirror.at_once():
            trial.set_user_attr(epoch_attr(epoch.epoch), epoch.to_json())
            trial.report(value, step=epoch.epoch)
        epochs = tuple(sorted((*record.epochs, epoch), key=lambda known: known.epoch))
        return self._update(number, epochs=epochs)

    def should_prune(self, number: int) -> bool:
        """Whether the pruner wants the trial stopped after its newest epoch.

        A trial that has trained its last epoch is never pruned: there is nothing left to save, and a
        COMPLETE trial tells the sampler more.
        """
        trial, record = self._running(number)
        if not record.epochs or record.epochs[-1].epoch >= self._config.max_epochs:
            return False
        return trial.should_prune()

    def set_run_id(self, number: int, run_id: str) -> None:
        """Keep the id of the trial's MLflow run."""
        trial, record = self._running(number)
        if record.run_id != run_id:
            trial.set_user_attr("mlflow_run_id", run_id)
            self._update(number, run_id=run_id)

    def complete(self, number: int) -> TrialRecord:
        """End a trial that trained to its end: its value is the metric of the last epoch."""
        epochs = self._running(number)[1].epochs
        if not epochs:
            return self.fail(number, StopReason.ERROR, "the objective returned without reporting an epoch")
        return self._finish(
            number, TrialState.COMPLETE, StopReason.FINISHED, epochs[-1].metrics[self._config.metric]
        )

    def prune(self, number: int) -> TrialRecord:
        """End a trial that the pruner stopped; its intermediate values stay."""
        return self._finish(number, TrialState.PRUNED, StopReason.PRUNED)

    def fail(self, number: int, reason: StopReason, error: str) -> TrialRecord:
        """End a trial that cannot go on, with the reason and the error's text."""
        self._running(number)[0].set_user_attr("error", error)
        self._update(number, error=error)
        return self._finish(number, TrialState.FAIL, reason)

    def lose(self, number: int, reason: StopReason, error: str) -> TrialRecord:
        """Note that a trial's worker died: it stays RUNNING for another attempt, or FAILs at the last."""
        trial, record = self._running(number)
        times_lost = record.times_lost + 1
        if times_lost >= self._config.max_attempts:
            return self.fail(number, reason, f"{error} (attempt {times_lost} of {self._config.max_attempts})")
        trial.set_user_attr("times_lost", times_lost)
        return self._update(number, times_lost=times_lost)

    def retry_failed(self) -> list[int]:
        """Enqueue failed trials' parameters again; a retry takes the failed one's place in the budget."""
        trials = self.study.get_trials(deepcopy=False)
        retried = {trial.user_attrs.get("retry_of") for trial in trials}
        failed = [t for t in trials if t.state is TrialState.FAIL and t.number not in retried]
        for trial in failed:
            self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        self._asked = counted(self.study.get_trials(deepcopy=False))
        return [trial.number for trial in failed]

    def append_launch(self, launch: dict[str, Any]) -> dict[str, Any] | None:
        """Note who drives the sweep from now on; returns the note before it, if there is one."""
        launches = self.study.user_attrs.get("launches", [])
        self.study.set_user_attr("launches", [*launches, launch])
        return launches[-1] if launches else None

    def _hold(self, trial: Trial) -> TrialRecord:
        self._config.space.suggest(trial)
        frozen = self._mirror.get_trial(trial._trial_id)
        self._live[trial.number] = (trial, TrialRecord.of(frozen))
        return self._live[trial.number][1]

    def _running(self, number: int) -> tuple[Trial, TrialRecord]:
        if number not in self._live:
            raise IllegalTransition(f"trial {number} is not held by this driver: ask or adopt it first")
        return self._live[number]

    def _update(self, number: int, **changes: Any) -> TrialRecord:
        trial, record = self._live[number]
        self._live[number] = (trial, dataclasses.replace(record, **changes))
        return self._live[number][1]

    def _finish(
        self, number: int, state: TrialState, reason: StopReason, value: float | None = None
    ) -> TrialRecord:
        """The one place where a trial ends: RUNNING -> COMPLETE, PRUNED or FAIL, once."""
        assert state in _END_STATES
        trial, _ = self._running(number)
        with durable(_END_STATES[state]), self._mirror.at_once():
            trial.set_user_attr("stop_reason", reason.value)
            self.study.tell(trial, value, state=state)
        del self._live[number]
        return self.record(number)


def check_same_definition(config: SweepConfig, recorded: dict[str, Any]) -> None:
    """Refuse to go on with a study that was made with another definition.

    Raises:
        UserError: they differ; shows in what.
    """
    lines = definition_difference(recorded, config.definition())
    if lines:
        raise UserError(
            f"sweep {config.name!r} was launched with another definition ({'; '.join(lines)}): "
            "undo the change, or launch it as a new sweep under another name"
        )


def records_of(study: optuna.Study) -> list[TrialRecord]:
    """The records of a study's started trials, in the order of their numbers."""
    trials = study.get_trials(deepcopy=False)
    return [TrialRecord.of(trial) for trial in trials if trial.state is not TrialState.WAITING]


def counted(trials: Iterable[FrozenTrial]) -> int:
    """How many trials of a study use its budget up: started, and not replaced by a retry."""
    trials = list(trials)
    replaced = {trial.user_attrs["retry_of"] for trial in trials if "retry_of" in trial.user_attrs}
    return sum(t.state is not TrialState.WAITING and t.number not in replaced for t in trials)
