"""What is known of a trial: made from the study, ranked, and named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sweep_makers import MAXIMIZE, MINIMIZE, epoch, open_ledger, record, sweep_config

from search.config.goals import Goal
from search.study.ledger import Ledger
from search.study.records import Epoch, TrialRecord, ranked, trial_key

metrics = st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False), max_size=3)
epochs = st.builds(
    Epoch,
    epoch=st.integers(1, 9999),
    metrics=metrics,
    timestamp_ms=st.integers(0, 2**45),
    worker=st.text(max_size=9),
    checkpoint=st.none() | st.text(max_size=9),
    cpus=st.none() | st.floats(0.5, 64),
)


@settings(deadline=None)
@given(epochs)
def test_an_epoch_comes_back_from_json(finished: Epoch) -> None:
    assert Epoch.from_json(json.loads(json.dumps(finished.to_json()))) == finished


@settings(deadline=None, max_examples=30)
@given(st.lists(epochs, min_size=1, max_size=5, unique_by=lambda finished: finished.epoch))
def test_every_epoch_comes_back_from_the_study_in_order(finished: list[Epoch]) -> None:
    config, storage = sweep_config(metric="m", direction="maximize", max_epochs=9999), InMemoryStorage()
    ledger = open_ledger(config, storage)
    number = ledger.ask().number
    reported = [Epoch(**{**e.to_json(), "metrics": {**e.metrics, "m": 0.5}}) for e in finished]
    for one in reported:
        ledger.report(number, one)
    assert open_ledger(config, storage).record(number).epochs == tuple(
        sorted(reported, key=lambda one: one.epoch)
    )


def test_trials_are_named_so_that_names_sort() -> None:
    assert (trial_key(7), trial_key(1234)) == ("trial-007", "trial-1234")


def test_a_trials_training_time_is_that_of_its_epochs() -> None:
    assert record(0, epochs=(epoch(1), epoch(2))).train_seconds == 4.0
    assert record(0, epochs=(epoch(1, metrics={"val_acc": 0.5}),)).train_seconds == 0.0


def test_a_trial_that_waits_to_be_started_has_no_record() -> None:
    ledger: Ledger = open_ledger(sweep_config())
    ledger.study.enqueue_trial({"depth": 2, "lr": 0.1})
    assert ledger.records() == []


@pytest.mark.parametrize(("goal", "numbers"), [(MAXIMIZE, [3, 0, 5, 1]), (MINIMIZE, [1, 0, 5, 3])])
def test_the_leaderboard_has_the_best_first_and_of_equal_ones_the_earlier(
    goal: Goal, numbers: list[int]
) -> None:
    records: list[TrialRecord] = [
        record(5, value=0.5),
        record(0, value=0.5),
        record(1, value=-0.1),
        record(3, value=0.9),
        record(2, TrialState.PRUNED),
        record(4, TrialState.FAIL),
        record(6, TrialState.RUNNING, ended_ms=None),
    ]
    assert [best.number for best in ranked(records, goal)] == numbers
