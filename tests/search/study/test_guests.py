"""Somebody else's hand on the study of a driver at work: trials that Optuna's API adds, enqueues and ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from sweep_makers import CONDITIONAL, DISCRETE, FLAT, epoch, open_ledger, run_trial, started, sweep_config

from search.errors import UserError
from search.study import budget as budget_module
from search.study.database import STORAGE_ERRORS
from search.study.ledger import Ledger
from search.study.records import StopReason, TrialRecord
from search.study.transitions import Decision
from search.study.writes import SweepStorage

GOOD = {"depth": 2, "lr": 0.05}


@pytest.fixture
def guest(sqlite_storage: SweepStorage, tmp_path: Path) -> Iterator[RDBStorage]:
    """The same database, as another process opens it."""
    storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture
def ledger(sqlite_storage: SweepStorage, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A driver's; it looks for guests at each question."""
    monkeypatch.setattr(budget_module, "_GUESTS_EVERY_S", 0.0)
    return open_ledger(sweep_config(), sqlite_storage)


def study_of(guest: RDBStorage) -> optuna.Study:
    return optuna.load_study(study_name="try", storage=guest)


def seen(guest: RDBStorage) -> list[tuple[int, str, dict[str, object]]]:
    """What the database holds: number, state and parameters of each trial."""
    return [(trial.number, trial.state.name, trial.params) for trial in study_of(guest).trials]


def told(records: list[TrialRecord]) -> list[tuple[int, str, dict[str, object]]]:
    return [(record.number, record.state.name, dict(record.params)) for record in records]


def test_what_a_guest_enqueues_is_run_next_under_its_own_number(ledger: Ledger, guest: RDBStorage) -> None:
    first = started(ledger)
    study_of(guest).enqueue_trial(GOOD)
    second, third = started(ledger), started(ledger)
    assert (first.number, second.number, third.number) == (0, 1, 2)
    assert second.params == GOOD
    assert told(ledger.records()) == seen(guest)


def test_numbers_are_the_databases_after_a_resume(
    ledger: Ledger, guest: RDBStorage, sqlite_storage: SweepStorage
) -> None:
    run_trial(ledger, [0.5])
    study_of(guest).enqueue_trial(GOOD)
    run_trial(ledger, [0.6])
    study_of(guest).enqueue_trial({"depth": 1, "lr": 0.5})
    ledger.ask()
    left = started(ledger)
    ledger.report(left.number, epoch(1, 0.7, checkpoint="trial-003/epoch-0001"))
    resumed = open_ledger(sweep_config(trials=6), sqlite_storage)
    assert resumed.unfinished() == [left.number] == [3]
    adopted = resumed.adopt(3)
    assert (adopted.params, adopted.epochs[0].checkpoint) == (left.params, "trial-003/epoch-0001")
    assert [started(resumed).number for _ in range(2)] == [2, 4]
    assert told(resumed.records()) == seen(guest)


def test_what_a_guest_enqueues_at_the_end_is_run_beyond_the_budget(ledger: Ledger, guest: RDBStorage) -> None:
    for _ in range(4):
        run_trial(ledger, [0.5])
    assert ledger.remaining() == 0
    study_of(guest).enqueue_trial(GOOD)
    assert ledger.remaining() == 1
    assert run_trial(ledger, [0.5]).params == GOOD
    assert ledger.remaining() == 0


def test_retries_and_what_guests_enqueue_are_run_whoever_came_first(
    ledger: Ledger, guest: RDBStorage
) -> None:
    ledger.fail(started(ledger).number, StopReason.ERROR, "boom")
    for _ in range(3):
        run_trial(ledger, [0.5])
    study_of(guest).enqueue_trial(GOOD)
    assert ledger.retry_failed() == [0]
    ended = [run_trial(ledger, [0.5]) for _ in range(2)]
    assert [(record.number, record.retry_of) for record in ended] == [(4, None), (5, 0)]
    assert ledger.remaining() == 0


def test_a_guest_may_enqueue_what_the_sweep_was_made_with(
    sqlite_storage: SweepStorage, guest: RDBStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "_GUESTS_EVERY_S", 0.0)
    ledger = open_ledger(sweep_config(trials=1, enqueue=[GOOD, {"depth": 1}]), sqlite_storage)
    run_trial(ledger, [0.5])
    assert ledger.remaining() == 0  # the second is beyond the budget
    study_of(guest).enqueue_trial(GOOD)
    study_of(guest).enqueue_trial({"depth": 3})
    assert [run_trial(ledger, [0.5]).params["depth"] for _ in range(ledger.remaining())] == [1, 2, 3]


def test_a_grid_is_tried_whole_whatever_a_guest_adds(
    sqlite_storage: SweepStorage, guest: RDBStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "_GUESTS_EVERY_S", 0.0)
    ledger = open_ledger(sweep_config(trials=20, space=DISCRETE, sampler="grid"), sqlite_storage)
    study_of(guest).enqueue_trial({"depth": 2})  # the optimizer is left open
    study_of(guest).add_trial(create_trial(value=0.5))
    ended = []
    while ledger.remaining():
        ended.append(run_trial(ledger, [0.5]).params)
    assert ended[0]["depth"] == 2
    assert len({tuple(sorted(params.items())) for params in ended[1:]}) == len(ended[1:]) == 6


def test_a_study_that_somebody_has_deleted_is_noticed(
    sqlite_storage: SweepStorage, ledger: Ledger, guest: RDBStorage
) -> None:
    number = started(ledger).number
    guest.delete_study(guest.get_study_id_from_name("try"))
    with pytest.raises(STORAGE_ERRORS):
        ledger.report(number, epoch(1))
    with pytest.raises(STORAGE_ERRORS):
        ledger.ask()


def test_values_that_the_space_does_not_hold_fail_with_the_reason(ledger: Ledger, guest: RDBStorage) -> None:
    study_of(guest).enqueue_trial({"widht": 8})
    failed = ledger.ask()
    assert (failed.number, failed.state, failed.stop_reason) == (0, TrialState.FAIL, StopReason.INVALID)
    assert "no parameter 'widht'" in (failed.error or "")
    assert ledger.remaining() == 3


@pytest.mark.parametrize("state", [TrialState.FAIL, TrialState.PRUNED, TrialState.COMPLETE])
def test_a_trial_that_a_guest_ends_is_ended(ledger: Ledger, guest: RDBStorage, state: TrialState) -> None:
    number = started(ledger).number
    ledger.report(number, epoch(1, 0.4))
    study_of(guest).tell(number, 0.4 if state is TrialState.COMPLETE else None, state=state)
    record, decision = ledger.report(number, epoch(2, 0.5))
    assert (record.state, record.stop_reason, decision) == (state, StopReason.EXTERNAL, Decision.STOP)
    assert [each.epoch for each in record.epochs] == [1]
    assert ledger.records() == [record]
    assert study_of(guest).trials[0].state is state


@pytest.mark.parametrize("change", ["complete", "fail", "lose", "start"])
def test_an_ending_of_a_guest_stands_whatever_the_driver_does_next(
    ledger: Ledger, guest: RDBStorage, change: str
) -> None:
    number = ledger.ask().number
    if change != "start":
        ledger.start(number)
        ledger.report(number, epoch(1, 0.4))
    study_of(guest)._storage.set_trial_state_values(study_of(guest).trials[0]._trial_id, TrialState.FAIL)
    reason = (StopReason.ERROR, "it broke") if change in ("fail", "lose") else ()
    ended = getattr(ledger, change)(number, *reason)
    assert (ended.state, ended.stop_reason, ended.error) == (TrialState.FAIL, StopReason.EXTERNAL, None)


def test_a_queued_trial_that_a_guest_ends_is_not_run(ledger: Ledger, guest: RDBStorage) -> None:
    study = study_of(guest)
    study.enqueue_trial(GOOD)
    study.enqueue_trial(GOOD)
    assert started(ledger).number == 0
    study._storage.set_trial_state_values(study.trials[1]._trial_id, TrialState.FAIL)
    assert started(ledger).number == 2
    [_, ended, _] = ledger.records()
    assert (ended.state, ended.stop_reason) == (TrialState.FAIL, StopReason.EXTERNAL)
    assert ledger.remaining() == 1


def test_a_finished_trial_that_a_guest_adds_is_learnt_from_and_shown(
    ledger: Ledger, guest: RDBStorage
) -> None:
    added = create_trial(
        params=GOOD, distributions=dict(FLAT.parameters), value=0.9, intermediate_values={1: 0.8, 2: 0.9}
    )
    study_of(guest).add_trial(added)
    assert started(ledger).number == 1
    [known, _] = ledger.records()
    assert (known.number, known.value, known.epochs, known.stop_reason) == (0, 0.9, (), StopReason.EXTERNAL)
    assert ledger.study.best_value == 0.9


def test_a_trial_of_another_kind_of_range_stops_no_sampler(
    guest: RDBStorage, sqlite_storage: SweepStorage
) -> None:
    config = sweep_config(space=CONDITIONAL, sampler="tpe", sampler_args={"n_startup_trials": 1}, trials=6)
    ledger = open_ledger(config, sqlite_storage)
    odd = {"optimizer": CategoricalDistribution(["lion", "sgd", "adamw"]), "lr": FloatDistribution(0.0, 9.0)}
    added = create_trial(params={"optimizer": "lion", "lr": 0.5}, distributions=odd, value=0.9)
    study_of(guest).add_trial(added)
    study_of(guest).enqueue_trial({"optimizer": "sgd"})
    for _ in range(4):
        run_trial(ledger, [0.5])
    resumed = open_ledger(config, sqlite_storage)
    assert run_trial(resumed, [0.6]).value == 0.6
    assert study_of(guest).best_trial.params == {"optimizer": "lion", "lr": 0.5}


def test_a_study_that_numbers_two_trials_alike_is_not_driven(
    ledger: Ledger, guest: RDBStorage, sqlite_storage: SweepStorage
) -> None:
    """As a version before this one left it after a guest's enqueuing."""
    for _ in range(2):
        run_trial(ledger, [0.5])
    with sqlite_storage.joined() as session:
        session.connection().exec_driver_sql("UPDATE trials SET number = 0")
    with pytest.raises(UserError, match=r"checkpoints cannot be told apart.*another name"):
        open_ledger(sweep_config(), sqlite_storage)


def test_a_run_id_is_kept_of_a_trial_that_has_ended(ledger: Ledger, guest: RDBStorage) -> None:
    number = started(ledger).number
    ledger.fail(number, StopReason.ERROR, "at once")
    assert ledger.set_run_id(number, "run").run_id == "run"
    assert study_of(guest).trials[0].user_attrs["mlflow_run_id"] == "run"


def test_drivers_that_die_with_a_trial_are_counted_until_it_gets_further(
    sqlite_storage: SweepStorage, caplog: pytest.LogCaptureFixture
) -> None:
    def driver(died: bool = True) -> Ledger:
        ledger = open_ledger(sweep_config(), sqlite_storage)
        if died:
            ledger.launches.note_dead_driver()
        ledger.launches.append({"host": "a"})
        return ledger

    first = driver(died=False)
    number, other = started(first).number, first.ask().number
    for deaths in (1, 2):
        again = driver()
        assert again.record(number).drivers_lost == deaths
        assert ("trial-000: 2 drivers in a row died" in caplog.text) == (deaths == 2)
        again.adopt(number)
        again.start(number)
    assert again.queued() == [other], "no worker had it"
    driver(died=False)  # which never comes to it, and is killed
    assert driver().record(number).drivers_lost == 2
    last = driver(died=False)
    last.adopt(number)
    last.start(number)
    record, _ = last.report(number, epoch(1))
    assert record.drivers_lost == 0
    assert driver().record(number).drivers_lost == 1
