"""A trial ended from another process: once, whoever was first, and the driver meets it at the next epoch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState
from sweep_makers import epoch, open_ledger, run_trial, started, sweep_config

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.database import opened_storage
from search.study.lease import Lease
from search.study.ledger import Ledger
from search.study.opening import opened_study
from search.study.records import StopReason
from search.study.stopping import stop_trial
from search.study.transitions import Decision


@pytest.fixture
def config(tmp_path: Path) -> SweepConfig:
    config = sweep_config(tmp_path)
    config.save()
    return config


@pytest.fixture
def ledger(config: SweepConfig) -> Iterator[Ledger]:
    """A driver's."""
    with opened_storage(config.storage_url) as storage, Lease.hold(storage.engine, config.name):
        yield open_ledger(config, storage)


def test_a_trial_is_pruned_with_its_epochs_and_the_driver_stops_it(
    ledger: Ledger, config: SweepConfig
) -> None:
    number = started(ledger).number
    ledger.report(number, epoch(1, 0.4))
    record, driver = stop_trial(config, number)
    assert (record.state, record.stop_reason, len(record.epochs)) == (
        TrialState.PRUNED,
        StopReason.EXTERNAL,
        1,
    )
    assert driver is not None
    told, decision = ledger.report(number, epoch(2, 0.5))
    assert (told, decision) == (record, Decision.STOP)
    with opened_study(config) as study:
        assert study.trials[number].value == 0.4, "as Optuna has it of a pruned trial"


def test_one_that_is_failed_may_be_trained_again(ledger: Ledger, config: SweepConfig) -> None:
    number = started(ledger).number
    record, _ = stop_trial(config, number, fail=True)
    assert (record.state, record.stop_reason) == (TrialState.FAIL, StopReason.SKIPPED)
    assert "by hand" in (record.error or "")
    assert ledger.complete(number).state is TrialState.FAIL
    assert ledger.retry_failed() == [number]


def test_one_that_no_worker_has_fails_for_it_teaches_nothing(ledger: Ledger, config: SweepConfig) -> None:
    number = ledger.ask().number
    assert stop_trial(config, number)[0].state is TrialState.FAIL
    assert ledger.start(number).state is TrialState.FAIL


def test_one_that_nobody_drives_is_left_as_it_is_by_a_resume(config: SweepConfig) -> None:
    with opened_storage(config.storage_url) as storage:
        number = started(open_ledger(config, storage)).number
        assert stop_trial(config, number)[1] is None
        resumed = open_ledger(config, storage)
        assert (resumed.unfinished(), resumed.remaining()) == ([], 3)


def test_what_has_ended_or_is_not_there_is_refused(ledger: Ledger, config: SweepConfig) -> None:
    ended, running = run_trial(ledger, [0.5]).number, started(ledger).number
    with pytest.raises(UserError, match=r"trial-000 has ended already \(complete\).*trial-001"):
        stop_trial(config, ended)
    with pytest.raises(UserError, match="no trial 7; give one that has not ended: trial-001"):
        stop_trial(config, 7)
    stop_trial(config, running)
    with pytest.raises(UserError, match=r"\(pruned\); all have ended"):
        stop_trial(config, running)
