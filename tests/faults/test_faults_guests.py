"""Optuna's API in somebody else's hand while a sweep runs and is killed: whose trial is whose stays true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from fault_tools import After, Toll, driver, logged_sweep, until
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from scripted import accuracy

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.study.records import StopReason
from search.study.stopping import stop_trial

TRIALS, AT_ONCE = 8, 2
WISHES = ({"rate": 0.1, "depth": 2}, {"rate": 0.2, "depth": 1})


def guest(config: SweepConfig) -> optuna.Study:
    """The study, as another process opens it."""
    return optuna.load_study(study_name=config.name, storage=RDBStorage(config.storage_url))


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_numbers_checkpoints_and_runs_stay_together_after_a_guest_and_a_kill(
    tmp_path: Path, tracking_uri: str
) -> None:
    config = logged_sweep(tmp_path, tracking_uri, trials=TRIALS, concurrency=AT_ONCE)
    toll = Toll(config)
    with driver(config, tmp_path) as script:
        until(lambda: len(toll.finished) >= 1)
        study = guest(config)  # opened before it is needed: a busy sweep asks for its last trials meanwhile
        until(lambda: len(toll.finished) >= 3)
        for wish in WISHES:
            study.enqueue_trial(wish)
        enqueued = {t.number for t in study.trials if t.system_attrs.get("fixed_params") in WISHES}
        until(lambda: len(toll.finished) >= 10)
        script.kill()
    toll.note_fault()
    assert run_sweep(config).succeeded
    records = toll.check(TRIALS, in_flight=AT_ONCE)
    assert {record.number for record in records if record.params in WISHES} == enqueued
    assert len(enqueued) == len(WISHES)
    for record in records:  # a trial that went on from another one's checkpoint has that one's metrics
        told = [epoch.metrics["val_acc"] for epoch in record.epochs]
        assert told == [accuracy(record.params, epoch.epoch) for epoch in record.epochs]
    assert [trial.number for trial in guest(config).trials] == list(range(TRIALS))


def end_by_optuna(config: SweepConfig) -> None:
    study = guest(config)
    study._storage.set_trial_state_values(study.trials[0]._trial_id, TrialState.FAIL)


def end_by_hand(config: SweepConfig) -> None:
    _, driver = stop_trial(config, 0)
    assert driver is not None


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    ("end", "state"), [(end_by_optuna, TrialState.FAIL), (end_by_hand, TrialState.PRUNED)]
)
def test_a_trial_that_a_guest_ends_is_ended_and_the_others_go_on(
    end: Callable[[SweepConfig], None], state: TrialState, tmp_path: Path, tracking_uri: str
) -> None:
    config = logged_sweep(tmp_path, tracking_uri, trials=4, concurrency=AT_ONCE)
    result = run_sweep(config, observers=[After(1, lambda: end(config), trial=0)])
    assert result.succeeded
    [ended, *others] = result.records
    assert (ended.state, ended.stop_reason) == (state, StopReason.EXTERNAL)
    assert len(ended.epochs) < config.max_epochs
    assert {record.state for record in others} == {TrialState.COMPLETE}
    assert all(record.run_id for record in result.records)
