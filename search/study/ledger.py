"""The only writer of the study: every change of a trial's state goes through here.

Each change is one transaction, where the storage has them. Elsewhere the order of writes makes a crash
harmless: details (metrics, reasons) come before the fact that refers to them (the intermediate value,
the state), so a half-done change is simply done again.
"""

from __future__ import annotations

import contextlib
import math

import optuna
from optuna.storages import BaseStorage
from optuna.trial import Trial, TrialState

from search.config.sweep_config import SweepConfig
from search.study.creating import Policy, create_or_open
from search.study.endings import Endings
from search.study.failpoints import durable
from search.study.hand_outs import HAND_OUTS, HandOut
from search.study.mirror import StudyMirror
from search.study.new_trials import NewTrials
from search.study.promotion import Ask, Promotion, Thaw
from search.study.reading import check_unfinished
from search.study.records import DROPPED, Epoch, StopReason, TrialRecord
from search.study.standing import Standing
from search.study.stored_epochs import with_epoch
from search.study.transitions import Decision, IllegalTransition, TrialEnd

_WHOLE = Ask(until=None, why="new")


class Ledger(Standing):
    """A study and the trials of it that this driver is working on.

    Args:
        study: the study, with its sampler and pruner.
        mirror: the study's storage.
        config: the sweep; its definition is the study's.
        promotion: the part of the policy that freezes trials and thaws them, if it does.

    Example:
        >>> from optuna.pruners import NopPruner
        >>> from optuna.samplers import RandomSampler
        >>> from search.study.database import opened_storage
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="ledger", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> config.folder.mkdir(parents=True)
        >>> with opened_storage(config.storage_url) as storage:
        ...     ledger = Ledger.open(config, storage, Policy(RandomSampler(seed=0), NopPruner()))
        ...     trial = ledger.start(ledger.ask().number)
        ...     epoch = Epoch(1, {"val_acc": 0.75, "epoch_s": 2.0}, timestamp_ms=1_000, worker="host:1")
        ...     record, decision = ledger.report(trial.number, epoch)
        ...     print(decision.name, ledger.complete(trial.number).value, ledger.remaining())
        CONTINUE 0.75 1
    """

    def __init__(
        self, study: optuna.Study, mirror: StudyMirror, config: SweepConfig, promotion: Promotion | None
    ) -> None:
        super().__init__(study, mirror, config, promotion)
        self._new = NewTrials(config, study, mirror, self._budget)
        self._endings = Endings(study, mirror, self._held, config.max_epochs)

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
        study, mirror = create_or_open(config, storage, policy)
        return cls(study, mirror, config, policy.promotion)

    def ask(self, choice: Ask = _WHOLE) -> TrialRecord:
        """A new trial with its parameters: enqueued ones (a failed trial's, if it is a retry), else sampled.

        It is RUNNING from here on, though the database has it WAITING until `start`. One that somebody
        enqueued with values that the space does not hold has FAILED, with the reason.
        """
        assert self.remaining() > 0, "asked beyond the budget"
        hand_out = self._hand_out(choice, trained=0) if self._choosing.freezes else None
        trial, problem = self._new.ask(hand_out)
        self._held.hold(trial)
        record = self._changed(trial.number)
        return record if problem is None else self.fail(record.number, StopReason.INVALID, problem)

    def thaw(self, choice: Thaw) -> TrialRecord:
        """Hand a frozen trial out again, unless somebody else has ended it."""
        number = choice.number
        record = self.record(number)
        if not record.frozen:
            raise IllegalTransition(f"trial {number} is {record.outcome} and cannot be thawed")
        hand_out = self._hand_out(choice, trained=record.resumes_at)
        self._mirror.thaw(number)
        trial = Trial(self.study, number)
        self._held.hold(trial)
        with durable("thaw"), self._held.changing(number):
            trial.set_user_attr(HAND_OUTS, [each.to_json() for each in (*record.hand_outs, hand_out)])
            self._held.hold(trial)
        return self._changed(number)

    def note_dropped(self, number: int) -> TrialRecord:
        """The checkpoint of a frozen trial is about to go: thawed, it is trained from its first epoch."""
        with durable("drop"):
            self._mirror.annotate(number, DROPPED, len(self.record(number).epochs))
        return self._changed(number)

    def end_frozen(self) -> list[TrialRecord]:
        """The sweep is over: what is still frozen is pruned."""
        return [self._finish(number, TrialEnd(StopReason.PRUNED)) for number in self.frozen()]

    def adopt(self, number: int) -> TrialRecord:
        """Take an unfinished trial on: the same number and parameters, its epochs kept."""
        if number in self._held:  # asked for or thawed by this driver, or on its way to another worker
            return self.record(number)
        frozen = self._mirror.get_trial(number)
        if frozen.state is not TrialState.RUNNING:
            raise IllegalTransition(f"trial {number} is {frozen.state.name} and cannot be adopted")
        trial = Trial(self.study, number)
        with self._held.changing(number):
            self._config.space.suggest(trial)  # what a killed driver of an earlier version left to be written
            self._held.hold(trial)
        return self.record(number)

    def start(self, number: int) -> TrialRecord:
        """A worker has taken a trial: it starts now, unless it did under an earlier driver."""
        trial, _ = self._held[number]
        with durable("start"), self._held.changing(number):
            trial.set_user_attr("launch", self.launches.count)
            self._mirror.start(number)
            self._held.hold(trial)
        return self._changed(number)

    def report(self, number: int, epoch: Epoch) -> tuple[TrialRecord, Decision]:
        """Write a finished epoch down and judge the trial by it, once; a known epoch changes nothing.

        The judgement and a pruned trial's end are in the transaction of the report: some pruners note what
        they have judged, and go on when they are asked again. A trial that has trained its last epoch is
        never pruned: there is nothing left to save, and a COMPLETE trial tells the sampler more. One that was
        handed out up to this epoch is frozen.
        """
        trial, record = self._held[number]
        if any(known.epoch == epoch.epoch for known in record.epochs):
            return record, Decision.CONTINUE
        value = epoch.metrics[self._config.metric]
        assert math.isfinite(value), f"the worker lets no {self._config.metric}={value} pass"
        decision = Decision.CONTINUE
        end = TrialEnd(StopReason.PRUNED)
        with contextlib.ExitStack() as ended, durable("report"), self._held.changing(number):
            trial.set_user_attr(*with_epoch(self._mirror.trial(number).user_attrs, epoch))
            trial.report(value, step=epoch.epoch)
            epochs = tuple(sorted((*record.epochs, epoch), key=lambda known: known.epoch))
            self._held.update(number, epochs=epochs, drivers_lost=0)
            if record.until is not None and len(epochs) >= record.until:
                decision = Decision.FREEZE
                ended.enter_context(durable("freeze"))
                self._mirror.freeze(number)
                self._held.let_go(number)
            elif epochs[-1].epoch < self._config.max_epochs and trial.should_prune():
                decision = Decision.PRUNE
                ended.enter_context(durable(end.write))
                self._endings.write(number, end)
        record = self._changed(number)
        if record.state is not TrialState.RUNNING and record.stop_reason is not StopReason.PRUNED:
            decision = Decision.STOP  # somebody else has ended it
        return record, decision

    def set_run_id(self, number: int, run_id: str) -> TrialRecord:
        """Keep the id of a trial's MLflow run, also of a trial that has ended."""
        if self.record(number).run_id != run_id:
            self._mirror.annotate(number, "mlflow_run_id", run_id)
            if number in self._held:
                self._held.update(number, run_id=run_id)
        return self.record(number)

    def complete(self, number: int) -> TrialRecord:
        """End a trial that trained to its end: its value is the metric of the last epoch."""
        epochs = self._held[number][1].epochs
        if not epochs:
            return self.fail(number, StopReason.ERROR, "the objective returned without reporting an epoch")
        last = epochs[-1]
        reason = StopReason.FINISHED if last.epoch == self._config.max_epochs else StopReason.EARLY
        return self._finish(number, TrialEnd(reason, last.metrics[self._config.metric]))

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
        trial, record = self._held[number]
        times_lost = record.times_lost + 1
        if times_lost >= self._config.max_attempts:
            return self.fail(number, reason, f"{error} (attempt {times_lost} of {self._config.max_attempts})")
        with self._held.changing(number):
            trial.set_user_attr("times_lost", times_lost)
            self._held.update(number, times_lost=times_lost)
        return self._changed(number)

    def skip(self, number: int) -> TrialRecord:
        """End a trial that an earlier driver left unfinished, for it is not to be trained any further.

        Raises:
            UserError: it is not unfinished.
        """
        check_unfinished(number, self.unfinished() + self.frozen(), self._config.name)
        end = TrialEnd(StopReason.SKIPPED, error="skipped by hand; `retry_failed` trains it once more")
        if number not in self._mirror.frozen:
            self.adopt(number)
        return self._finish(number, end)

    def retry_failed(self) -> list[int]:
        """Enqueue failed trials' parameters again; a retry takes the failed one's place in the budget.

        One that diverged has not failed, and would diverge again.
        """
        return self._new.retry_failed()

    def _hand_out(self, choice: Ask | Thaw, trained: int) -> HandOut:
        until, last = choice.until, self._config.max_epochs
        assert until is None or trained < until < last, (
            f"a trial that is handed out trains, to {until} of {last}"
        )
        return HandOut(until, (until or last) - trained, self._choosing.reported, choice.why)

    def _changed(self, number: int) -> TrialRecord:
        """A trial is another than before: whatever decides by its record hears of it."""
        record = self.record(number)
        self._choosing.changed(record)
        return record

    def _finish(self, number: int, end: TrialEnd) -> TrialRecord:
        self._endings.end(number, end)
        return self._changed(number)
