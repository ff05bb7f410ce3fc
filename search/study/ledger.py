"""The only writer of the study: every change of a trial's state goes through here.

Each change is one transaction, where the storage has them. Elsewhere the order of writes makes a crash
harmless: details (metrics, reasons) come before the fact that refers to them (the intermediate value,
the state), so a half-done change is simply done again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from search.config.credentials import hide_in
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.divergence import mark_diverged
from search.study.failpoints import durable
from search.study.mirror import StudyMirror
from search.study.optuna_private import enqueued_params, is_grid_point
from search.study.records import Epoch, Outcome, StopReason, TrialRecord, epoch_attr
from search.study.transitions import Decision, IllegalTransition, TrialEnd, check_transition
from search.study.writes import NumberTaken
from spaces.space import InvalidSpace

_logger = logging.getLogger(__name__)

_TOLD_FROM = 2  # drivers in a row that died with a trial before the user hears of it: one means nothing
_GUESTS_EVERY_S = 1.0  # how often the end of a sweep looks for trials that somebody has enqueued


@dataclass(frozen=True)
class Policy:
    """What a study's trials are asked of and judged by."""

    sampler: BaseSampler
    pruner: BasePruner


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
        self._recount()
        self._budget = config.budget
        self._looked_at = -math.inf  # when guests were last looked for

    @classmethod
    def open(cls, config: SweepConfig, storage: BaseStorage, policy: Policy) -> Ledger:
        """Open the sweep's study, creating it if it is new.

        Args:
            config: the sweep.
            storage: where its study lies.
            policy: what its trials are asked of and judged by.

        Raises:
            UserError: the study was made with another definition; shows the difference.
        """
        optuna.create_study(
            study_name=config.name, storage=storage, load_if_exists=True, direction=config.direction
        )
        mirror = StudyMirror(storage, config.name, config.space.parameters)
        study = optuna.load_study(study_name=config.name, storage=mirror, pruner=policy.pruner)
        study.sampler = policy.sampler
        attrs = study.user_attrs
        if "definition" in attrs:
            check_same_definition(config, attrs["definition"])
        else:
            for params in config.enqueue:
                study.enqueue_trial(params, skip_if_exists=True)  # a driver killed right here does it again
            study.set_user_attr("sweep_id", uuid.uuid4().hex)
            study.set_user_attr("definition", config.definition().to_json())
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
        """Trials that may still be asked for: of the budget, and beyond it what a guest has enqueued."""
        return max(0, self._budget - self._asked) or self._waiting_beyond()

    def unfinished(self) -> list[int]:
        """Numbers of the trials that an earlier driver left RUNNING, oldest first."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return sorted(trial.number for trial in running if trial.number not in self._live)

    def queued(self) -> list[int]:
        """Numbers of the trials that wait in the study; a worker may have begun one that was asked for."""
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return [trial.number for trial in waiting]

    def ask(self) -> TrialRecord:
        """A new trial with its parameters: enqueued ones (a failed trial's, if it is a retry), else sampled.

        It is RUNNING from here on, though the database has it WAITING until `start`. One that somebody
        enqueued with values that the space does not hold has FAILED, with the reason.
        """
        assert self.remaining() > 0, "asked beyond the budget"
        while True:
            try:
                with durable("ask"), self._mirror.at_once():
                    trial = self.study.ask()
                    problem = self._problem(trial)
                    if problem is None:
                        self._config.space.suggest(trial)
            except NumberTaken:  # by a guest; numbers decide seeds, so it is drawn again
                self._take_in()
                continue
            except UpdateFinishedTrialError:  # a queued trial that a guest has ended
                self._mirror.take_back(trial.number)
                self._recount()
                continue
            self._recount()
            record = self._hold(trial)
            return record if problem is None else self.fail(record.number, StopReason.INVALID, problem)

    def adopt(self, number: int) -> TrialRecord:
        """Take an unfinished trial on: the same number and parameters, its epochs kept."""
        frozen = self._mirror.get_trial(number)
        if frozen.state is not TrialState.RUNNING:
            raise IllegalTransition(f"trial {number} is {frozen.state.name} and cannot be adopted")
        trial = Trial(self.study, number)
        with self._unless_ended(number):
            self._config.space.suggest(trial)  # what a killed driver of an earlier version left to be written
            return self._hold(trial)
        return self.record(number)

    def start(self, number: int) -> TrialRecord:
        """A worker has taken a trial: it starts now, unless it did under an earlier driver."""
        trial, _ = self._running(number)
        with durable("start"), self._unless_ended(number):
            trial.set_user_attr("launch", self._launches)
            self._mirror.start(number)
            self._live[number] = (trial, TrialRecord.of(self._mirror.get_trial(number)))
        return self.record(number)

    def record(self, number: int) -> TrialRecord:
        """What is known of one trial."""
        if number in self._live:
            return self._live[number][1]
        return TrialRecord.of(self._mirror.get_trial(number))

    def records(self) -> list[TrialRecord]:
        """What is known of all trials that were started, in the order of their numbers."""
        return records_of(self.study)

    def report(self, number: int, epoch: Epoch) -> tuple[TrialRecord, Decision]:
        """Write a finished epoch down and judge the trial by it, once; a known epoch changes nothing.

        The judgement and a pruned trial's end are in the transaction of the report: some pruners note what
        they have judged, and go on when they are asked again. A trial that has trained its last epoch is
        never pruned: there is nothing left to save, and a COMPLETE trial tells the sampler more.
        """
        trial, record = self._running(number)
        if any(known.epoch == epoch.epoch for known in record.epochs):
            return record, Decision.CONTINUE
        value = epoch.metrics[self._config.metric]
        assert math.isfinite(value), f"the worker lets no {self._config.metric}={value} pass"
        decision = Decision.CONTINUE
        end = TrialEnd(StopReason.PRUNED)
        with contextlib.ExitStack() as pruned, durable("report"), self._unless_ended(number):
            trial.set_user_attr(epoch_attr(epoch.epoch), epoch.to_json())
            trial.report(value, step=epoch.epoch)
            epochs = tuple(sorted((*record.epochs, epoch), key=lambda known: known.epoch))
            self._update(number, epochs=epochs, drivers_lost=0)
            if epochs[-1].epoch < self._config.max_epochs and trial.should_prune():
                decision = Decision.PRUNE
                pruned.enter_context(durable(end.write))
                self._write_end(number, end)
        record = self.record(number)
        if record.state is not TrialState.RUNNING and record.stop_reason is not StopReason.PRUNED:
            decision = Decision.STOP  # somebody else has ended it
        return record, decision

    def set_run_id(self, number: int, run_id: str) -> TrialRecord:
        """Keep the id of a trial's MLflow run, also of a trial that has ended."""
        if self.record(number).run_id != run_id:
            self._mirror.annotate(number, "mlflow_run_id", run_id)
            if number in self._live:
                self._update(number, run_id=run_id)
        return self.record(number)

    def complete(self, number: int) -> TrialRecord:
        """End a trial that trained to its end: its value is the metric of the last epoch."""
        epochs = self._running(number)[1].epochs
        if not epochs:
            return self.fail(number, StopReason.ERROR, "the objective returned without reporting an epoch")
        return self._finish(number, TrialEnd(StopReason.FINISHED, epochs[-1].metrics[self._config.metric]))

    def diverge(self, number: int, error: str) -> TrialRecord:
        """End a trial whose loss or metric is not finite any more; samplers learn from it as the worst."""
        return self._finish(number, TrialEnd(StopReason.DIVERGED, error=error))

    def fail(self, number: int, reason: StopReason, error: str) -> TrialRecord:
        """End a trial that cannot continue, with the reason and the error's text."""
        end = TrialEnd(reason, error=error)
        assert end.state is TrialState.FAIL, f"{reason} is no failure"
        return self._finish(number, end)

    def lose(self, number: int, reason: StopReason, error: str) -> TrialRecord:
        """Note that a trial's worker died: it stays RUNNING for another attempt, or FAILs at the last."""
        trial, record = self._running(number)
        times_lost = record.times_lost + 1
        if times_lost >= self._config.max_attempts:
            return self.fail(number, reason, f"{error} (attempt {times_lost} of {self._config.max_attempts})")
        with self._unless_ended(number):
            trial.set_user_attr("times_lost", times_lost)
            self._update(number, times_lost=times_lost)
        return self.record(number)

    def skip(self, number: int) -> TrialRecord:
        """End a trial that an earlier driver left unfinished, for it is not to be trained any further.

        Raises:
            UserError: it is not unfinished.
        """
        check_unfinished(number, self.unfinished(), self._config.name)
        self.adopt(number)
        return self.fail(number, StopReason.SKIPPED, "skipped by hand; `retry_failed` trains it once more")

    def retry_failed(self) -> list[int]:
        """Enqueue failed trials' parameters again; a retry takes the failed one's place in the budget.

        One that diverged has not failed, and would diverge again.
        """
        trials = self.study.get_trials(deepcopy=False)
        retried = {trial.user_attrs.get("retry_of") for trial in trials}
        failed = [t for t in trials if _may_be_retried(t) and t.number not in retried]
        for trial in failed:
            self.study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        self._recount()
        return [trial.number for trial in failed]

    def append_launch(self, launch: dict[str, Any]) -> dict[str, Any] | None:
        """Note who drives the sweep from now on; returns the note before it, if there is one."""
        launches = self.study.user_attrs.get("launches", [])
        self.study.set_user_attr("launches", [*launches, launch])
        return launches[-1] if launches else None

    def note_dead_driver(self) -> None:
        """The last driver died: each trial that it was training may be why. Before `append_launch`."""
        for number in self.unfinished():
            trial, record = self._mirror.get_trial(number), self.record(number)
            if trial.user_attrs.get("launch") == self._launches:
                lost = (record.drivers_lost + 1, len(record.epochs))
                self._mirror.set_trial_user_attr(number, "drivers_lost", lost)
                if lost[0] >= _TOLD_FROM:
                    _logger.warning(
                        "%s: %d drivers in a row died while it was trained; if it is why, "
                        "`skip_trial=%d` gives it up",
                        record.key,
                        lost[0],
                        number,
                    )

    @property
    def _launches(self) -> int:
        return len(self.study.user_attrs.get("launches", []))

    def _take_in(self) -> None:
        if self._mirror.take_in():
            self._recount()

    def _recount(self) -> None:
        trials = self.study.get_trials(deepcopy=False)
        if self._config.sampler == "grid":  # what a guest adds takes no point of the grid's from it
            trials = [t for t in trials if is_grid_point(t) or "retry_of" in t.user_attrs]
        self._asked = counted(trials)

    def _waiting_beyond(self) -> int:
        """How many trials wait, up to the last that a guest or a retry has enqueued: they need no budget."""
        if time.monotonic() - self._looked_at > _GUESTS_EVERY_S:
            self._take_in()
            self._looked_at = time.monotonic()
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return max((place for place, trial in enumerate(waiting, 1) if not self._is_own(trial)), default=0)

    def _is_own(self, trial: FrozenTrial) -> bool:
        """Whether a trial that waits has been asked for, or was enqueued when the sweep was made."""
        fixed = enqueued_params(trial)
        return bool(trial.params) or (
            trial.number < len(self._config.enqueue) and fixed in self._config.enqueue
        )

    def _problem(self, trial: Trial) -> str | None:
        """What is wrong with the values that somebody has enqueued a trial with, if anything is."""
        fixed = enqueued_params(self._mirror.get_trial(trial.number)) or {}
        try:
            self._config.space.check_some(fixed)
        except InvalidSpace as error:
            return f"enqueued with {fixed}: {error}"
        return None

    def _hold(self, trial: Trial) -> TrialRecord:
        self._live[trial.number] = (trial, TrialRecord.of(self._mirror.get_trial(trial.number)))
        return self._live[trial.number][1]

    def _running(self, number: int) -> tuple[Trial, TrialRecord]:
        if number not in self._live:
            raise IllegalTransition(f"trial {number} is not held by this driver: ask or adopt it first")
        return self._live[number]

    def _update(self, number: int, **changes: Any) -> TrialRecord:
        trial, record = self._live[number]
        self._live[number] = (trial, dataclasses.replace(record, **changes))
        return self._live[number][1]

    @contextlib.contextmanager
    def _unless_ended(self, number: int) -> Iterator[None]:
        """One transaction on a trial; nothing of it happens if somebody else has ended the trial."""
        try:
            with self._mirror.at_once(number):
                yield
        except UpdateFinishedTrialError:
            self._live.pop(number, None)

    def _finish(self, number: int, end: TrialEnd) -> TrialRecord:
        self._running(number)
        with durable(end.write), self._unless_ended(number):
            self._write_end(number, end)
        return self.record(number)

    def _write_end(self, number: int, end: TrialEnd) -> None:
        """The one place where a trial ends, once."""
        trial, record = self._running(number)
        check_transition(number, self._mirror.state(number), end.state)
        if end.error is not None:
            trial.set_user_attr("error", hide_in(end.error))
        if end.reason is StopReason.DIVERGED:
            mark_diverged(trial, self._config.max_epochs - len(record.epochs))
        trial.set_user_attr("stop_reason", end.reason.value)
        self.study.tell(trial, end.value, state=end.state)
        del self._live[number]


def _may_be_retried(trial: FrozenTrial) -> bool:
    # In sweeps of earlier versions those that diverged are FAIL.
    return trial.state is TrialState.FAIL and TrialRecord.of(trial).outcome is Outcome.FAILED


def check_unfinished(number: int, unfinished: Sequence[int], sweep: str) -> None:
    """Refuse to skip a trial that is not among the unfinished ones.

    Raises:
        UserError: names those that are.
    """
    if number not in unfinished:
        there = ", ".join(map(str, unfinished)) or "none"
        raise UserError(
            f"`skip_trial={number}`: sweep {sweep!r} has no such unfinished trial (there: {there}); "
            "name one of them, or leave it out"
        )


def check_same_definition(config: SweepConfig, recorded: dict[str, Any]) -> None:
    """Refuse to go on with a study that was made with another definition.

    Raises:
        UserError: they differ; shows in what. Or the study's is of a later version.
    """
    lines = config.definition().difference(recorded)
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
