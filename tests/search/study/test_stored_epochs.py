"""Epochs in few attributes, however many and large they are, and as versions before had them."""

from __future__ import annotations

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from sweep_makers import epoch, open_ledger, started, sweep_config

from search.study import stored_epochs
from search.study.hand_outs import HandOut, hand_outs_of
from search.study.reading import record_of
from search.study.records import Epoch

NAMED_ALONE = "epoch:{:04d}"  # as versions before had each epoch


def stored(storage: BaseStorage) -> optuna.trial.FrozenTrial:
    (name,) = optuna.get_all_study_names(storage)
    (trial,) = optuna.load_study(study_name=name, storage=storage).trials
    return trial


def test_a_table_of_the_study_has_one_column_for_all_epochs(sqlite_storage: RDBStorage) -> None:
    ledger = open_ledger(sweep_config(max_epochs=60), sqlite_storage)
    number = started(ledger).number
    for position in range(1, 60):
        ledger.report(number, epoch(position))
    (name,) = optuna.get_all_study_names(sqlite_storage)
    columns = optuna.load_study(study_name=name, storage=sqlite_storage).trials_dataframe().columns
    assert [column for column in columns if "epoch" in column] == ["user_attrs_epochs:000"]


def test_a_full_attribute_takes_no_more_and_nothing_is_written_again() -> None:
    config, storage = sweep_config(max_epochs=400), InMemoryStorage()
    ledger = open_ledger(config, storage)
    number = started(ledger).number
    written = [epoch(position) for position in range(1, 301)]
    for one in written:
        ledger.report(number, one)
    attrs = stored(storage).user_attrs
    held = {key: len(value) for key, value in attrs.items() if key.startswith("epochs:")}
    assert sum(held.values()) == 300
    assert 2 <= len(held) <= 6, held
    assert open_ledger(config, storage).record(number).epochs == tuple(written)


def test_an_epoch_with_many_steps_fills_its_attribute() -> None:
    steps = {"train_loss_step": [(step, 0.123456) for step in range(2_000)]}
    storage = InMemoryStorage()
    ledger = open_ledger(sweep_config(max_epochs=4), storage)
    number = started(ledger).number
    for position in (1, 2, 3):
        large = Epoch(position, {"val_acc": 0.5}, timestamp_ms=0, worker="host:1", steps=steps)
        ledger.report(number, large)
    assert [key for key in sorted(stored(storage).user_attrs) if key.startswith("epochs:")] == [
        "epochs:000",
        "epochs:001",
        "epochs:002",
    ]


def test_more_than_a_thousand_attributes_are_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_epochs, "FULL", 0)
    attrs = {f"epochs:{place:03d}": [epoch(place + 1).to_json()] for place in range(1_001)}
    assert stored_epochs.with_epoch(attrs, epoch(1_002))[0] == "epochs:1001"


@pytest.mark.parametrize("full", [stored_epochs.FULL, 0], ids=["the same attribute", "the next attribute"])
def test_what_a_driver_left_that_was_killed_between_the_writes_of_a_report_is_replaced(
    full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_epochs, "FULL", full)
    storage = InMemoryStorage()
    ledger = open_ledger(sweep_config(max_epochs=4), storage)
    number = started(ledger).number
    ledger.report(number, epoch(1))
    left = stored_epochs.with_epoch(stored(storage).user_attrs, epoch(2, metrics={"val_acc": 0.1}))
    storage.set_trial_user_attr(stored(storage)._trial_id, *left)
    assert [each.epoch for each in record_of(stored(storage)).epochs] == [1]
    ledger = open_ledger(sweep_config(max_epochs=4), storage)
    ledger.adopt(number)
    again = epoch(2, metrics={"val_acc": 0.9})
    ledger.report(number, again)
    assert record_of(stored(storage)).epochs == (epoch(1), again)


def test_a_trial_of_an_earlier_version_goes_on() -> None:
    config, storage = sweep_config(max_epochs=4), InMemoryStorage()
    number = started(open_ledger(config, storage)).number
    trial_id = stored(storage)._trial_id
    for position in (1, 2):
        storage.set_trial_user_attr(trial_id, NAMED_ALONE.format(position), epoch(position).to_json())
        storage.set_trial_intermediate_value(trial_id, position, 0.5)
    ledger = open_ledger(config, storage)
    assert [each.epoch for each in ledger.adopt(number).epochs] == [1, 2]
    ledger.report(number, epoch(3))
    assert record_of(stored(storage)).epochs == (epoch(1), epoch(2), epoch(3))


def test_the_hand_outs_of_an_earlier_version_are_read() -> None:
    first, second = (HandOut(until, 3, 0, "new") for until in (3, 9))
    apart = {"handed_out:001": second.to_json(), "handed_out:000": first.to_json()}
    assert hand_outs_of(apart) == (first, second)
    assert hand_outs_of(apart | {"hand_outs": [first.to_json()]}) == (first,)


def test_attributes_of_others_that_are_called_alike_are_let_be() -> None:
    storage = InMemoryStorage()
    ledger = open_ledger(sweep_config(max_epochs=4), storage)
    number = started(ledger).number
    trial_id = stored(storage)._trial_id
    for key in ("epochs:mine", "epoch:best"):
        storage.set_trial_user_attr(trial_id, key, "a note")
    ledger.report(number, epoch(1))
    assert [each.epoch for each in record_of(stored(storage)).epochs] == [1]
    assert stored_epochs.without_epochs(stored(storage).user_attrs).keys() >= {"epochs:mine", "epoch:best"}
