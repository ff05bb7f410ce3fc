"""The study's only writer: what a trial may become, what is kept of it, what a resume goes on with."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from killable_storage import KillableStorage, Killed
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import TrialState
from sweep_makers import (
    CONDITIONAL,
    DISCRETE,
    PRUNES_BELOW_HALF,
    epoch,
    open_ledger,
    run_trial,
    started,
    sweep_config,
)

from search.errors import UserError
from search.study.ledger import Ledger
from search.study.records import Outcome, StopReason
from search.study.transitions import Decision, IllegalTransition


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """A ledger of a sweep of 4 trials, in memory and on disk."""
    on_disk = request.param == "sqlite"
    return open_ledger(
        sweep_config(), request.getfixturevalue("sqlite_storage") if on_disk else InMemoryStorage()
    )


def test_a_trial_that_trains_to_its_end_is_complete_with_its_last_value(ledger: Ledger) -> None:
    ended = run_trial(ledger, [0.3, 0.6, 0.5])
    assert (ended.state, ended.value, ended.stop_reason) == (TrialState.COMPLETE, 0.5, StopReason.FINISHED)
    assert [e.metrics["val_acc"] for e in ended.epochs] == [0.3, 0.6, 0.5]
    assert 0 < ended.started_ms <= (ended.ended_ms or 0)
    assert ledger.records() == [ended]


def test_an_error_is_written_down_without_the_passwords_in_it(ledger: Ledger) -> None:
    number = started(ledger).number
    ended = ledger.fail(number, StopReason.ERROR, "OSError: s3://key:pw@bucket/x?token=t does not answer")
    assert ended.error == "OSError: s3://key:***@bucket/x?token=*** does not answer"
    assert ledger.study.trials[number].user_attrs["error"] == ended.error


def test_a_pruned_trial_keeps_its_parameters_and_all_its_values(sqlite_storage: RDBStorage) -> None:
    ledger = open_ledger(sweep_config(**PRUNES_BELOW_HALF), sqlite_storage)
    asked = started(ledger)
    for number, value in ((1, 0.6), (2, 0.4)):
        ended, decision = ledger.report(asked.number, epoch(number, value))
    assert decision is Decision.PRUNE
    assert (ended.state, ended.value, ended.stop_reason) == (TrialState.PRUNED, None, StopReason.PRUNED)
    assert ended.params == asked.params
    assert ended.epochs == (epoch(1, 0.6), epoch(2, 0.4))
    assert ledger.study.trials[0].intermediate_values == {1: 0.6, 2: 0.4}


def test_a_trial_that_diverged_is_a_result_with_its_error_and_is_not_retried(ledger: Ledger) -> None:
    number = started(ledger).number
    ledger.report(number, epoch(1))
    ended = ledger.diverge(number, "val_loss is inf in epoch 2")
    assert (ended.state, ended.stop_reason, ended.outcome, ended.error, len(ended.epochs)) == (
        TrialState.PRUNED,
        StopReason.DIVERGED,
        Outcome.DIVERGED,
        "val_loss is inf in epoch 2",
        1,
    )
    assert ledger.retry_failed() == []


def test_a_sweep_of_an_earlier_version_has_its_diverged_trials_as_failed(ledger: Ledger) -> None:
    number = ledger.ask().number
    ledger.study._storage.set_trial_user_attr(number, "stop_reason", "nan")
    ledger.study.tell(number, state=TrialState.FAIL)
    record = ledger.records()[0]
    assert (record.state, record.outcome) == (TrialState.FAIL, Outcome.DIVERGED)
    assert ledger.retry_failed() == []


@pytest.mark.parametrize("reason", [StopReason.OOM, StopReason.ERROR])
def test_a_failed_trial_keeps_its_reason_its_error_and_its_epochs(ledger: Ledger, reason: StopReason) -> None:
    number = started(ledger).number
    ledger.report(number, epoch(1))
    ended = ledger.fail(number, reason, "what happened\nand where")
    assert (ended.state, ended.stop_reason, ended.error) == (
        TrialState.FAIL,
        reason,
        "what happened\nand where",
    )
    assert ended.epochs == (epoch(1),)


def test_an_objective_that_reports_nothing_fails(ledger: Ledger) -> None:
    ended = ledger.complete(started(ledger).number)
    assert (ended.state, ended.stop_reason) == (TrialState.FAIL, StopReason.ERROR)
    assert "without reporting an epoch" in (ended.error or "")


def test_the_same_epoch_again_changes_nothing(ledger: Ledger) -> None:
    number = ledger.ask().number
    ledger.report(number, epoch(1, 0.5))
    record, decision = ledger.report(number, epoch(1, 0.9))
    assert (record.epochs, decision) == ((epoch(1, 0.5),), Decision.CONTINUE)
    assert ledger.study.trials[0].intermediate_values == {1: 0.5}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_reaches_the_study(ledger: Ledger, value: float) -> None:
    number = ledger.ask().number
    with pytest.raises(AssertionError):
        ledger.report(number, epoch(1, value))
    assert ledger.records()[0].epochs == ()
    assert ledger.study.trials[0].user_attrs == {}


CHANGES: dict[str, Callable[[Ledger, int], Any]] = {
    "report": lambda ledger, number: ledger.report(number, epoch(2)),
    "repeat": lambda ledger, number: ledger.report(number, epoch(1)),
    "start": lambda ledger, number: ledger.start(number),
    "complete": lambda ledger, number: ledger.complete(number),
    "fail": lambda ledger, number: ledger.fail(number, StopReason.ERROR, "again"),
    "lose": lambda ledger, number: ledger.lose(number, StopReason.LOST, "again"),
}
ENDS = {name: CHANGES[name] for name in ("complete", "fail")}


@pytest.mark.parametrize("then", [*CHANGES, "adopt"])
@pytest.mark.parametrize("end", ENDS)
def test_a_trial_that_has_ended_can_not_change(end: str, then: str) -> None:
    ledger = open_ledger(sweep_config())
    number = started(ledger).number
    ledger.report(number, epoch(1))
    ENDS[end](ledger, number)
    before = ledger.study.get_trials()
    with pytest.raises(IllegalTransition):
        ledger.adopt(number) if then == "adopt" else CHANGES[then](ledger, number)
    assert ledger.study.get_trials() == before


@pytest.mark.parametrize("change", CHANGES)
def test_an_earlier_drivers_trial_is_adopted_before_it_changes(change: str) -> None:
    storage = InMemoryStorage()
    number = started(open_ledger(sweep_config(), storage)).number
    resumed = open_ledger(sweep_config(), storage)
    before = resumed.study.get_trials()
    with pytest.raises(IllegalTransition, match="ask or adopt it first"):
        CHANGES[change](resumed, number)
    assert resumed.study.get_trials() == before
    resumed.adopt(number)
    CHANGES[change](resumed, number)


def test_an_adopted_trial_is_the_same_trial(ledger: Ledger) -> None:
    asked = ledger.ask()
    ledger.set_run_id(asked.number, "run")
    ledger.start(asked.number)
    last, _ = ledger.report(asked.number, epoch(1, checkpoint="trial-000/epoch-0001"))
    resumed = open_ledger(sweep_config(), ledger.study._storage)
    assert resumed.unfinished() == [asked.number]
    assert resumed.adopt(asked.number) == last
    assert resumed.unfinished() == []
    assert (last.run_id, last.params) == ("run", asked.params)
    assert resumed.sweep_id == ledger.sweep_id


def test_the_budget_counts_every_trial_and_grows(ledger: Ledger) -> None:
    for _ in range(4):
        assert ledger.remaining() > 0
        ledger.ask()
    assert ledger.remaining() == 0
    with pytest.raises(AssertionError):
        ledger.ask()
    grown = open_ledger(sweep_config(trials=6), ledger.study._storage)
    assert (grown.most_trials, grown.remaining()) == (6, 2)
    shrunk = open_ledger(sweep_config(trials=2), ledger.study._storage)
    assert (shrunk.most_trials, shrunk.remaining()) == (2, 0)


def test_a_worker_may_be_lost_so_often_and_no_more() -> None:
    config, storage = sweep_config(max_attempts=3), InMemoryStorage()
    ledger = open_ledger(config, storage)
    number = started(ledger).number
    assert ledger.lose(number, StopReason.LOST, "gone").state is TrialState.RUNNING
    resumed = open_ledger(config, storage)  # the count survives the driver
    assert resumed.adopt(number).times_lost == 1
    assert resumed.lose(number, StopReason.LOST, "gone").state is TrialState.RUNNING
    ended = resumed.lose(number, StopReason.OOM, "gone for good")
    assert (ended.state, ended.stop_reason) == (TrialState.FAIL, StopReason.OOM)
    assert ended.error == "gone for good (attempt 3 of 3)"


def test_a_retry_has_the_failed_trials_parameters_and_its_place_in_the_budget(ledger: Ledger) -> None:
    failed = ledger.ask()
    ledger.fail(failed.number, StopReason.ERROR, "once")
    run_trial(ledger, [0.5])
    assert ledger.remaining() == 2
    assert ledger.retry_failed() == [failed.number]
    assert ledger.retry_failed() == [], "it is being retried already"
    assert ledger.remaining() == 3
    retry = ledger.ask()
    assert (retry.params, retry.retry_of, retry.number) == (failed.params, failed.number, 2)
    ledger.fail(retry.number, StopReason.ERROR, "twice")
    assert ledger.retry_failed() == [retry.number], "the first failure has had its retry"
    resumed = open_ledger(sweep_config(), ledger.study._storage)
    assert resumed.remaining() == ledger.remaining() == 3


def test_what_is_enqueued_is_tried_first_and_once_whatever_is_killed() -> None:
    config = sweep_config(enqueue=[{"depth": 3, "lr": 0.05}, {"lr": 1}])
    storage = InMemoryStorage()
    half_done = optuna.create_study(study_name=config.name, storage=storage, direction="maximize")
    half_done.enqueue_trial({"depth": 3, "lr": 0.05})  # and there the first driver was killed
    ledger = open_ledger(config, storage)
    assert ledger.remaining() == 4
    first, second = started(ledger), started(ledger)
    assert first.params == {"depth": 3, "lr": 0.05}
    assert second.params["lr"] == 1.0
    assert second.params["depth"] in (1, 2, 3), "what is left out is sampled"
    resumed = open_ledger(config, storage)
    assert resumed.unfinished() == [first.number, second.number]
    assert resumed.remaining() == 2
    assert resumed.ask().number == 2
    assert resumed.ask().params["lr"] not in (0.05, 1.0)
    assert resumed.remaining() == 0


@pytest.mark.parametrize(("trials", "budget"), [(4, 4), (6, 6), (100, 6)])
def test_a_grid_ends_when_each_point_was_tried_once(trials: int, budget: int) -> None:
    config = sweep_config(space=DISCRETE, sampler="grid", trials=trials)
    ledger = open_ledger(config)
    assert ledger.most_trials == budget
    drawn = []
    while ledger.remaining():
        drawn.append(run_trial(ledger, [0.5]).params)
    assert len({tuple(params.items()) for params in drawn}) == budget


def test_a_failed_point_of_a_grid_can_be_retried() -> None:
    ledger = open_ledger(sweep_config(space=DISCRETE, sampler="grid", trials=6))
    first = ledger.ask()
    ledger.fail(first.number, StopReason.ERROR, "once")
    ledger.retry_failed()
    drawn = [first.params]
    while ledger.remaining():
        drawn.append(run_trial(ledger, [0.5]).params)
    assert len(drawn) == 7
    assert len({tuple(params.items()) for params in drawn}) == 6


def test_a_changed_definition_is_refused_with_the_difference(ledger: Ledger) -> None:
    changed = sweep_config(space=CONDITIONAL, seed=3)
    with pytest.raises(UserError, match=r"space: depth: removed.*seed: 0 -> 3.*another name"):
        open_ledger(changed, ledger.study._storage)
    open_ledger(sweep_config(trials=9, concurrency=2), ledger.study._storage)


def test_a_trial_in_its_last_epoch_is_not_pruned() -> None:
    ledger = open_ledger(sweep_config(**PRUNES_BELOW_HALF))
    number = started(ledger).number
    decisions = [ledger.report(number, epoch(n, value))[1] for n, value in ((1, 0.9), (2, 0.9), (3, 0.1))]
    assert decisions == [Decision.CONTINUE] * 3
    assert ledger.complete(number).value == 0.1


def test_minimised_sweeps_minimise() -> None:
    config = sweep_config(direction="minimize", metric="val_loss")
    ledger = open_ledger(config)
    for loss in (0.9, 0.2, 0.5):
        number = started(ledger).number
        ledger.report(number, epoch(1, metrics={"val_loss": loss}))
        ledger.complete(number)
    assert ledger.study.best_value == 0.2


def test_launches_are_noted_one_after_another(ledger: Ledger) -> None:
    assert ledger.launches.append({"host": "a"}) is None
    resumed = open_ledger(sweep_config(), ledger.study._storage)
    assert resumed.launches.append({"host": "b"}) == {"host": "a"}
    assert ledger.study.user_attrs["launches"] == [{"host": "a"}, {"host": "b"}]


def test_a_new_trial_is_written_with_its_parameters_or_not_at_all() -> None:
    config, storage = sweep_config(space=CONDITIONAL), KillableStorage()
    kills = 0
    while True:
        ledger = open_ledger(config, storage)
        storage.kill_after(kills)
        try:
            params = ledger.ask().params
            break
        except Killed:
            storage.revive()
            assert optuna.load_study(study_name="try", storage=storage).trials == []
        kills += 1
    assert kills > 2
    [written] = optuna.load_study(study_name="try", storage=storage).trials
    assert (written.state, written.params) == (TrialState.WAITING, params)


def test_a_retry_that_is_killed_while_it_is_asked_for_waits_as_it_was() -> None:
    config, storage = sweep_config(space=CONDITIONAL), KillableStorage()
    ledger = open_ledger(config, storage)
    failed = started(ledger)
    ledger.fail(failed.number, StopReason.ERROR, "broken")
    ledger.retry_failed()
    storage.kill_after(1)
    with pytest.raises(Killed):
        ledger.ask()
    storage.revive()
    resumed = open_ledger(config, storage)
    assert (resumed.unfinished(), resumed.queued(), resumed.remaining()) == ([], [1], 4)
    assert resumed.ask().params == failed.params


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_a_driver_killed_anywhere_in_a_report_leaves_the_decision_as_it_would_have_been(pruner: str) -> None:
    """Both pruners note the rung that they judge, and go on when they are asked about it again."""
    config = sweep_config(pruner=pruner, max_epochs=9, trials=10)

    def judged(kills: int | None) -> list[Decision]:
        """The decisions on bad trials after a good one; each report is killed after some writes."""
        with contextlib.closing(KillableStorage()) as storage:
            ledger = open_ledger(config, storage)
            run_trial(ledger, [0.9] * 9)
            decisions = []
            for number in range(1, 9):
                started(ledger)
                if kills is not None:
                    storage.kill_after(kills)
                try:
                    decision = ledger.report(number, epoch(1, 0.1 - number / 100))[1]
                except Killed:
                    storage.revive()
                    ledger = open_ledger(config, storage)
                    assert ledger.adopt(number).epochs == (), "all of the report is written, or nothing"
                    decision = ledger.report(number, epoch(1, 0.1 - number / 100))[1]
                storage.revive()
                decisions.append(decision)
            return decisions

    undisturbed = judged(None)
    assert set(undisturbed) == {Decision.PRUNE} | ({Decision.CONTINUE} if pruner == "hyperband" else set())
    for kills in range(6):
        assert judged(kills) == undisturbed


def test_an_unfinished_trial_can_be_skipped_and_no_other(sqlite_storage: RDBStorage) -> None:
    config = sweep_config()
    first = open_ledger(config, sqlite_storage)
    for _ in range(2):
        first.start(first.ask().number)
    first.report(0, epoch(1))
    first.complete(0)
    ledger = open_ledger(config, sqlite_storage)
    for number in (0, 7):
        with pytest.raises(UserError, match=rf"`skip_trial={number}`: .*; give .*: trial-001$"):
            ledger.skip(number)
    skipped = ledger.skip(1)
    assert (skipped.state, skipped.stop_reason) == (TrialState.FAIL, StopReason.SKIPPED)
    assert open_ledger(config, sqlite_storage).unfinished() == []
    assert ledger.retry_failed() == [1]
