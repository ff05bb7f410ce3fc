"""The study in memory is the study in the database, after every write, and each change is one transaction."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial
from sweep_makers import CONDITIONAL, epoch, open_ledger, started, sweep_config

from search.study.ledger import Ledger
from search.study.mirror import StudyMirror
from search.study.records import StopReason
from search.study.transitions import Decision
from search.study.writes import SweepStorage


def in_database(storage: SweepStorage) -> list[FrozenTrial]:
    return optuna.load_study(study_name="try", storage=storage).trials


def in_memory(ledger: Ledger) -> list[FrozenTrial]:
    return ledger.study.get_trials(deepcopy=False)


def without_ids(trials: list[FrozenTrial]) -> list[dict[str, Any]]:
    return [{name: value for name, value in vars(trial).items() if name != "_trial_id"} for trial in trials]


def commits(storage: SweepStorage, act: Callable[[], Any]) -> int:
    """Transactions that it takes."""
    seen = []

    def count(connection: sa.Connection) -> None:
        seen.append(connection)

    sa.event.listen(storage.engine, "commit", count)
    try:
        act()
    finally:
        sa.event.remove(storage.engine, "commit", count)
    return len(seen)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "qmc"])
def test_memory_and_database_agree_after_every_change(sqlite_storage: SweepStorage, sampler: str) -> None:
    config = sweep_config(sampler=sampler, trials=20, pruner="asha")
    ledger = open_ledger(config, sqlite_storage)
    for number in range(14):
        record = started(ledger)
        for count in range(1, 3):
            _, decision = ledger.report(number, epoch(count, 0.1 * count + 0.01 * number))
            assert agree(ledger, sqlite_storage)
            if decision is Decision.PRUNE:
                break
        else:
            if number % 5 == 4:
                ledger.fail(number, StopReason.ERROR, "broken")
            else:
                ledger.complete(number)
        assert agree(ledger, sqlite_storage)
        assert record.number == number
    ledger.retry_failed()
    assert agree(ledger, sqlite_storage)
    started(ledger)
    assert agree(ledger, sqlite_storage)
    assert agree(
        open_ledger(sweep_config(sampler=sampler, trials=20, pruner="asha"), sqlite_storage),
        sqlite_storage,
    )


def agree(ledger: Ledger, storage: SweepStorage) -> bool:
    study = optuna.load_study(study_name="try", storage=storage)
    assert study.user_attrs == ledger.study.user_attrs
    assert system_attrs(study) == system_attrs(ledger.study)
    assert without_ids(in_memory(ledger)) == without_ids(study.trials)
    return True


def system_attrs(study: optuna.Study) -> dict[str, Any]:
    return study._storage.get_study_system_attrs(study._study_id)


def test_each_change_is_one_transaction(sqlite_storage: SweepStorage) -> None:
    ledger = open_ledger(sweep_config(space=CONDITIONAL, pruner="asha", max_epochs=9), sqlite_storage)
    for number, values in enumerate([(0.9, 0.9, 0.9), (0.1,)]):
        assert commits(sqlite_storage, ledger.ask) == 1
        assert commits(sqlite_storage, partial(ledger.start, number)) == 1
        for step, value in enumerate(values, 1):
            assert commits(sqlite_storage, partial(ledger.report, number, epoch(step, value))) == 1
    assert commits(sqlite_storage, lambda: ledger.complete(0)) == 1
    assert [record.state.name for record in ledger.records()] == ["COMPLETE", "PRUNED"]


def test_what_is_joined_is_written_whole_or_not_at_all(sqlite_storage: SweepStorage) -> None:
    ledger = open_ledger(sweep_config(), sqlite_storage)
    ledger.ask()
    mirror = StudyMirror(sqlite_storage, "try", {})

    def write_and_fail() -> None:
        with mirror.at_once():
            mirror.set_trial_user_attr(0, "first", 1)
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        write_and_fail()
    assert "first" not in in_database(sqlite_storage)[0].user_attrs
    with mirror.at_once():
        mirror.set_trial_user_attr(0, "second", 2)
    assert in_database(sqlite_storage)[0].user_attrs["second"] == 2


def test_a_refused_write_takes_the_joined_ones_with_it(sqlite_storage: SweepStorage) -> None:
    open_ledger(sweep_config(), sqlite_storage).ask()
    mirror = StudyMirror(sqlite_storage, "try", {})

    def write_and_be_refused() -> None:
        with mirror.at_once():
            mirror.set_trial_user_attr(0, "first", 1)
            # What Optuna does when the database says that a row is there already.
            sqlite_storage.scoped_session().rollback()

    with pytest.raises(StorageInternalError, match="refused"):
        write_and_be_refused()
    assert "first" not in in_database(sqlite_storage)[0].user_attrs
