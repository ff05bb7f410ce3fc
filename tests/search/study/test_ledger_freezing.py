"""Freezing and thawing in the study: what is kept, what samplers see, what a killed driver leaves."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
import pytest
from halving import Halving
from killable_storage import KillableStorage, Killed
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from sweep_makers import epoch, open_ledger, run_trial, started, sweep_config

from search.errors import UserError
from search.study.ledger import Ledger
from search.study.promotion import Ask, Left, Thaw
from search.study.reading import records_of
from search.study.records import Outcome, StopReason
from search.study.transitions import Decision, IllegalTransition

TO_ITS_END = Thaw(number=0, until=None, why="best")


@pytest.fixture
def storage() -> Iterator[KillableStorage]:
    """A database that outlives the ledger."""
    storage = KillableStorage()
    yield storage
    storage.close()


def open_freezing(storage: BaseStorage | None = None, **fields: object) -> Ledger:
    """A sweep of 4 trials of 3 epochs that are frozen after the first."""
    return open_ledger(sweep_config(**fields), storage, Halving())


def frozen(ledger: Ledger, value: float = 0.5) -> int:
    """A trial that has been frozen with this value."""
    number = ledger.start(ledger.ask(Ask(until=1, why="new")).number).number
    _, decision = ledger.report(number, epoch(1, value))
    assert decision is Decision.FREEZE
    return number


def in_database(storage: BaseStorage) -> optuna.Study:
    """The study as everybody else reads it."""
    return optuna.load_study(study_name="try", storage=storage)


def test_a_trial_is_frozen_when_it_has_trained_as_far_as_it_was_handed_out(storage: KillableStorage) -> None:
    ledger = open_freezing(storage)
    number = ledger.start(ledger.ask(Ask(until=2, why="new")).number).number
    assert ledger.report(number, epoch(1))[1] is Decision.CONTINUE
    record, decision = ledger.report(number, epoch(2))
    assert (decision, record.outcome, record.state) == (Decision.FREEZE, Outcome.FROZEN, TrialState.RUNNING)
    assert records_of(in_database(storage)) == ledger.records() == [record]


def test_samplers_see_a_frozen_trial_as_pruned_with_its_value(storage: KillableStorage) -> None:
    ledger = open_freezing(storage)
    frozen(ledger, 0.4)
    for each in (ledger, open_freezing(storage)):
        (seen,) = each.study.get_trials(deepcopy=False)
        assert (seen.state, seen.value, seen.intermediate_values) == (TrialState.PRUNED, 0.4, {1: 0.4})


def test_a_resume_knows_what_is_frozen_and_hands_it_out_to_nobody(storage: KillableStorage) -> None:
    number = frozen(open_freezing(storage))
    ledger = open_freezing(storage)
    assert (ledger.frozen(), ledger.unfinished()) == ([number], [])
    assert ledger.records()[0].frozen
    assert ledger.remaining() == 3


class _Finishing(Halving):
    """Would rather thaw: the other slots have used the budget up to its last part."""

    def next(self, left: Left) -> Thaw | Ask | None:
        return TO_ITS_END


def test_what_a_killed_driver_asked_for_is_begun_before_anything_is_decided_anew(
    storage: KillableStorage,
) -> None:
    ledger = open_freezing(storage)
    frozen(ledger)
    asked = ledger.ask(Ask(until=2, why="new"))
    ledger = open_ledger(sweep_config(), storage, _Finishing())
    choice = ledger.choose()
    assert choice == Ask(until=2, why="new")
    again = ledger.ask(choice)
    assert (again.number, again.params, again.hand_outs) == (asked.number, asked.params, asked.hand_outs)
    assert ledger.choose() == TO_ITS_END


def test_a_thawed_trial_trains_on_and_says_why(storage: KillableStorage) -> None:
    ledger = open_freezing(storage)
    frozen(ledger, 0.4)
    thawed = ledger.thaw(Thaw(0, until=2, why="best of 1"))
    assert (thawed.outcome, thawed.until, thawed.thawed) == (Outcome.RUNNING, 2, 1)
    assert thawed.hand_outs[-1].why == "best of 1"
    assert thawed.hand_outs[-1].reports == 1
    (seen,) = ledger.study.get_trials(deepcopy=False)
    assert (seen.state, seen.value) == (TrialState.RUNNING, None)
    assert ledger.report(0, epoch(2))[1] is Decision.FREEZE
    ledger.thaw(TO_ITS_END)
    assert ledger.report(0, epoch(3, 0.9))[1] is Decision.CONTINUE
    ended = ledger.complete(0)
    assert (ended.state, ended.value, ended.thawed) == (TrialState.COMPLETE, 0.9, 2)
    assert records_of(in_database(storage)) == [ended]


def test_a_thaw_that_was_cut_short_is_none_and_one_that_was_written_is_gone_on_with(
    storage: KillableStorage,
) -> None:
    ledger = open_freezing(storage)
    frozen(ledger)
    storage.kill_after(0)
    with pytest.raises(Killed):
        ledger.thaw(TO_ITS_END)
    storage.revive()
    ledger = open_freezing(storage)
    assert (ledger.frozen(), ledger.unfinished()) == ([0], [])
    ledger.thaw(TO_ITS_END)
    ledger = open_freezing(storage)
    assert (ledger.frozen(), ledger.unfinished()) == ([], [0])
    assert ledger.adopt(0).until is None


def test_what_is_frozen_at_the_end_is_pruned(storage: KillableStorage) -> None:
    ledger = open_freezing(storage)
    frozen(ledger, 0.4), frozen(ledger, 0.5)
    ended = ledger.end_frozen()
    assert [(r.state, r.stop_reason) for r in ended] == [(TrialState.PRUNED, StopReason.PRUNED)] * 2
    assert records_of(in_database(storage)) == ended
    assert ledger.end_frozen() == []


def test_a_frozen_trial_that_a_guest_has_ended_is_not_thawed(storage: KillableStorage) -> None:
    ledger = open_freezing(storage)
    frozen(ledger)
    guest = in_database(storage)
    guest.tell(0, state=TrialState.FAIL)
    assert ledger.thaw(TO_ITS_END).stop_reason is StopReason.EXTERNAL
    assert ledger.frozen() == []


def test_only_a_frozen_trial_is_thawed() -> None:
    ledger = open_freezing()
    number = started(ledger).number
    with pytest.raises(IllegalTransition, match="trial 0 is running"):
        ledger.thaw(Thaw(number, until=None, why="best"))


def test_a_frozen_trial_may_be_skipped(storage: KillableStorage) -> None:
    frozen(open_freezing(storage))
    ledger = open_freezing(storage)
    assert ledger.skip(0).stop_reason is StopReason.SKIPPED
    with pytest.raises(UserError, match="no such unfinished trial"):
        ledger.skip(0)


def test_a_trial_that_diverges_after_a_thaw_has_diverged() -> None:
    ledger = open_freezing()
    frozen(ledger)
    ledger.thaw(TO_ITS_END)
    assert ledger.diverge(0, "nan").outcome is Outcome.DIVERGED


def test_a_budget_of_epochs_counts_what_is_handed_out_and_frees_what_was_not_needed() -> None:
    ledger = open_ledger(sweep_config(budget=7))
    assert ledger.remaining() == 2, "a trial has three epochs, and what does not fit is not begun"
    first = started(ledger).number
    assert ledger.remaining() == 1
    ledger.report(first, epoch(1))
    ledger.diverge(first, "nan")
    assert ledger.remaining() == 2
    run_trial(ledger, [0.1, 0.2, 0.3])
    run_trial(ledger, [0.1, 0.2, 0.3])
    assert ledger.choose() is None


def test_the_price_of_a_thaw_is_what_is_to_be_trained(storage: KillableStorage) -> None:
    ledger = open_freezing(storage, budget=10)
    kept = ledger.start(ledger.ask(Ask(until=1, why="new")).number).number
    ledger.report(kept, epoch(1, checkpoint="trial-000/epoch-0001"))
    gone = frozen(ledger)
    assert [ledger.thaw(Thaw(number, 2, "best")).hand_outs[-1].cost for number in (kept, gone)] == [1, 2]


def test_a_trial_whose_checkpoint_was_dropped_is_thawed_at_the_price_of_all_its_epochs(
    storage: KillableStorage,
) -> None:
    ledger = open_freezing(storage)
    ledger.start(ledger.ask(Ask(until=1, why="new")).number)
    ledger.report(0, epoch(1, checkpoint="trial-000/epoch-0001"))
    assert ledger.note_dropped(0).resumes_at == 0
    ledger = open_freezing(storage)
    assert ledger.thaw(Thaw(0, 2, "best")).hand_outs[-1].cost == 2
    record, decision = ledger.report(0, epoch(1, checkpoint="trial-000/epoch-0001"))
    assert decision is Decision.CONTINUE, "the study has that epoch"
    record, decision = ledger.report(0, epoch(2, checkpoint="trial-000/epoch-0002"))
    assert (decision, record.resumes_at) == (Decision.FREEZE, 2)


def test_the_policy_is_told_of_every_trial_at_the_opening_and_of_every_change(
    storage: KillableStorage,
) -> None:
    frozen(open_freezing(storage))
    halving = Halving()
    ledger = open_ledger(sweep_config(), storage, halving)
    assert [record.outcome for record in halving.told] == [Outcome.FROZEN]
    ledger.thaw(TO_ITS_END)
    ledger.report(0, epoch(2))
    ledger.report(0, epoch(3))
    ledger.complete(0)
    assert [record.outcome for record in halving.told[1:]] == [Outcome.RUNNING] * 3 + [Outcome.COMPLETE]
