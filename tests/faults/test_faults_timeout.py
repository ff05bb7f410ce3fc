"""Trials that hang: killed after `--trial-timeout`, started again, failed at the last attempt."""

from __future__ import annotations

import logging
from pathlib import Path

import fault_objectives
import pytest
from fault_tools import Toll, logged_sweep
from optuna.trial import TrialState

from search.driver import run_sweep
from search.study.records import StopReason

TIMEOUT_S = 4.0
TRIALS = 4


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray", "by_value")
def test_a_trial_that_hangs_is_started_again_and_one_that_always_hangs_fails(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        trials=TRIALS,
        trial_timeout=TIMEOUT_S,
        max_attempts=2,
        settings={"hang": {"0": "once", "1": "always"}, "epoch_s": 0.05},
    )
    toll = Toll(config)
    with caplog.at_level(logging.WARNING, "search"):
        result = run_sweep(config, fault_objectives.hang)
    assert result.succeeded
    records = toll.check(TRIALS, in_flight=2)
    assert [epoch for trial, epoch in toll.begun if trial == 0] == [1, 2, 2, 3, 4]
    assert [epoch for trial, epoch in toll.begun if trial == 1] == [1, 2, 2]
    assert records[0].state is TrialState.COMPLETE
    assert records[0].times_lost == 1
    assert (records[1].state, records[1].stop_reason) == (TrialState.FAIL, StopReason.TIMEOUT)
    assert "`trial_timeout`" in (records[1].error or "")
    assert "(attempt 2 of 2)" in (records[1].error or "")
    assert len(records[1].epochs) == 1, "what was trained before it hung is kept"
    assert "trial-000: worker lost (no report for as long as `trial_timeout` allows)" in caplog.text
