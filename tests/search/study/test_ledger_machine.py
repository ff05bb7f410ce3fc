"""Whatever happens in whatever order, killed at any write: the ledger is what a simple model says."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from killable_storage import KillableStorage, Killed
from optuna.trial import TrialState
from sweep_makers import CONDITIONAL, PRUNES_BELOW_HALF, epoch, open_ledger, started, sweep_config

from search.study.ledger import Ledger
from search.study.records import StopReason
from search.study.transitions import IllegalTransition

MAX_EPOCHS = 3


@dataclass
class Modelled:
    """A trial as it should be."""

    params: dict[str, Any]
    state: TrialState = TrialState.RUNNING
    values: list[float] = field(default_factory=list)
    reason: StopReason | None = None
    error: str | None = None
    times_lost: int = 0
    retry_of: int | None = None
    run_id: str | None = None


class LedgerMachine(RuleBasedStateMachine):
    """The sweep's driver, its crashes and its resumes."""

    def __init__(self) -> None:
        super().__init__()
        self.storage = KillableStorage()
        self.trials: list[Modelled] = []
        self.held: set[int] = set()
        # Trials that were asked for and not begun: retries, by the failed trial, or sampled parameters.
        self.queued: list[int | dict[str, Any]] = []
        self.budget = 3

    @initialize()
    def launch(self) -> None:
        self.ledger = self.opened()

    def opened(self) -> Ledger:
        config = sweep_config(
            space=CONDITIONAL, trials=self.budget, max_epochs=MAX_EPOCHS, max_attempts=2, **PRUNES_BELOW_HALF
        )
        return open_ledger(config, self.storage)

    def teardown(self) -> None:
        self.storage.close()

    def resume(self) -> None:
        """A new driver, with nothing but the study."""
        self.held.clear()
        self.ledger = self.opened()

    @rule()
    def crash_and_resume(self) -> None:
        self.resume()

    @precondition(lambda self: self.budget < 6)
    @rule()
    def resume_with_more_trials(self) -> None:
        self.budget += 1
        self.resume()

    # What a driver does with its trials

    @precondition(lambda self: self.remaining > 0)
    @rule()
    def ask(self) -> None:
        record = started(self.ledger)
        assert record.number == len(self.trials)
        self.started(record.params)
        self.held.add(record.number)

    def started(self, params: Any) -> None:
        before = self.queued.pop(0) if self.queued else None
        retry_of = before if isinstance(before, int) else None
        if before is not None:
            assert params == (before if isinstance(before, dict) else self.trials[before].params)
        self.trials.append(Modelled(dict(params), retry_of=retry_of))

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def adopt(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.unfinished))
        record = self.ledger.adopt(number)
        assert self.trials[number].params.items() <= record.params.items()
        self.trials[number].params = dict(record.params)
        self.held.add(number)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), value=st.floats(0.5, 1))
    def report(self, data: st.DataObject, value: float) -> None:
        number = self.any_held(data)
        values = self.trials[number].values
        step = data.draw(st.integers(1, min(MAX_EPOCHS, len(values) + 1)))
        self.ledger.report(number, epoch(step, value))
        if step > len(values):  # an epoch that is known already keeps its first value
            values.append(value)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), run_id=st.sampled_from(["run", "other"]))
    def set_run_id(self, data: st.DataObject, run_id: str) -> None:
        number = self.any_held(data)
        self.ledger.set_run_id(number, run_id)
        self.trials[number].run_id = run_id

    @precondition(lambda self: self.held)
    @rule(data=st.data(), change=st.sampled_from(["complete", "prune", "fail", "lose"]))
    def end(self, data: st.DataObject, change: str) -> None:
        number = self.any_held(data)
        self.do(change, number)
        self.done(change, number)

    def do(self, change: str, number: int) -> None:
        if change == "report":
            self.ledger.report(number, epoch(len(self.trials[number].values) + 1, 0.5))
        elif change == "prune":
            self.ledger.report(number, epoch(len(self.trials[number].values) + 1, 0.1))
        elif change == "fail":
            self.ledger.fail(number, StopReason.ERROR, "it broke")
        elif change == "lose":
            self.ledger.lose(number, StopReason.LOST, "gone")
        else:
            getattr(self.ledger, change)(number)

    def done(self, change: str, number: int) -> None:
        """What the model makes of a change."""
        trial = self.trials[number]
        if change in ("report", "prune"):
            trial.values.append(0.5 if change == "report" else 0.1)
            if change == "report" or len(trial.values) >= MAX_EPOCHS:
                return
        if change == "lose" and trial.times_lost == 0:
            trial.times_lost = 1
            return
        self.held.remove(number)
        if change in ("fail", "lose") or (change == "complete" and not trial.values):
            trial.state = TrialState.FAIL
            trial.reason = {"fail": StopReason.ERROR, "lose": StopReason.LOST}.get(change, StopReason.ERROR)
            trial.error = {"fail": "it broke", "lose": "gone (attempt 2 of 2)"}.get(
                change, "the objective returned without reporting an epoch"
            )
        else:
            trial.state = TrialState.COMPLETE if change == "complete" else TrialState.PRUNED
            whole = StopReason.FINISHED if len(trial.values) == MAX_EPOCHS else StopReason.EARLY
            trial.reason = whole if change == "complete" else StopReason.PRUNED

    @rule()
    def retry_failed(self) -> None:
        retried = self.replaced
        failed = [n for n, t in enumerate(self.trials) if t.state is TrialState.FAIL and n not in retried]
        assert self.ledger.retry_failed() == failed
        self.queued += failed

    # What a driver may be killed in, and what it may not do

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        writes=st.integers(0, 8),
        change=st.sampled_from(["report", "complete", "prune", "fail", "lose"]),
    )
    def killed_in_a_change(self, data: st.DataObject, writes: int, change: str) -> None:
        number = self.any_held(data)
        self.storage.kill_after(writes)
        try:
            self.do(change, number)
        except Killed:
            self.storage.revive()
            self.resume()  # nothing has happened, by the model: the trial waits to be taken on
        else:
            self.storage.revive()  # it took no more writes than there were
            self.done(change, number)

    @precondition(lambda self: self.remaining > 0)
    @rule(writes=st.integers(0, 12))
    def killed_between_asking_and_starting(self, writes: int) -> None:
        self.storage.kill_after(writes)
        asked = None
        with contextlib.suppress(Killed):
            asked = self.ledger.ask()
        self.storage.revive()
        self.resume()
        if asked is not None and not self.queued:
            self.queued.append(dict(asked.params))  # it waits, with the parameters that it was sampled with

    @precondition(lambda self: len(self.trials) > len(self.held))
    @rule(data=st.data())
    def nothing_changes_a_trial_that_is_not_held(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([n for n in range(len(self.trials)) if n not in self.held]))
        for change in ("report", "complete", "prune", "fail", "lose"):
            with pytest.raises(IllegalTransition):
                self.do(change, number)
        if self.trials[number].state is not TrialState.RUNNING:
            with pytest.raises(IllegalTransition):
                self.ledger.adopt(number)

    # What holds at any time

    @property
    def remaining(self) -> int:
        return max(0, self.budget - len(set(range(len(self.trials))) - self.replaced))

    @property
    def replaced(self) -> set[int | None]:
        queued = [retry for retry in self.queued if isinstance(retry, int)]
        return {*queued, *(trial.retry_of for trial in self.trials)}

    @property
    def unfinished(self) -> list[int]:
        return [n for n, t in enumerate(self.trials) if t.state is TrialState.RUNNING and n not in self.held]

    def any_held(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(sorted(self.held)))

    @invariant()
    def counts_agree(self) -> None:
        assert self.ledger.remaining() == self.remaining
        assert self.ledger.unfinished() == self.unfinished
        assert [record.number for record in self.ledger.records()] == list(range(len(self.trials)))

    @invariant()
    def every_record_agrees(self) -> None:
        for record, trial in zip(self.ledger.records(), self.trials, strict=True):
            assert self.ledger.record(record.number) == record, "what is held is what the study has"
            assert record.params == trial.params
            assert record.state is trial.state
            assert [finished.epoch for finished in record.epochs] == [*range(1, len(trial.values) + 1)]
            assert [finished.metrics["val_acc"] for finished in record.epochs] == trial.values
            assert (record.stop_reason, record.error) == (trial.reason, trial.error)
            assert (record.times_lost, record.retry_of) == (trial.times_lost, trial.retry_of)
            assert record.run_id == trial.run_id
            complete = trial.state is TrialState.COMPLETE
            assert record.value == (trial.values[-1] if complete else None)
            assert (record.ended_ms is None) == (trial.state is TrialState.RUNNING)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(deadline=None, max_examples=20, stateful_step_count=25)


@pytest.mark.slow
class TestLedgerMachineForLong(LedgerMachine.TestCase):
    """More of the same."""

    settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
