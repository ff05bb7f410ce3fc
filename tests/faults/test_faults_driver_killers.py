"""A trial that takes the driver down with it: the others are trained all the same, and it is given up."""

from __future__ import annotations

from pathlib import Path

import pytest
from fault_tools import driver, logged_sweep
from optuna.trial import TrialState
from sweep_checks import check_study, check_view

from search.study.records import StopReason

MOST = 3
FEWER = {
    "search.engine.waiting.ALONE_FROM": 2,
    "search.engine.intake.MOST_DRIVERS": MOST,
}  # each costs seconds


@pytest.mark.slow
def test_a_trial_that_kills_every_driver_is_given_up_and_costs_no_other_trial(
    tmp_path: Path, tracking_uri: str
) -> None:
    file = tmp_path / "driver"
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        objective="fault_objectives:kill_driver",
        trials=5,
        concurrency=2,
        settings={"driver": str(file), "epoch_s": 0.5},
    )
    codes = []
    while not codes or codes[-1] != 0:
        assert len(codes) <= MOST
        with driver(config, tmp_path, constants=FEWER) as script:
            file.write_text(str(script.pid))
            codes.append(script.wait())
    assert codes == [-9] * MOST + [0], script.stderr
    assert "trial-000 is given up: 3 drivers in a row died while it was trained" in script.stderr
    killer, *others = check_study(config, 5)
    assert (killer.state, killer.stop_reason) == (TrialState.FAIL, StopReason.LOST)
    assert {record.state for record in others} == {TrialState.COMPLETE}
    check_view(config)


@pytest.mark.slow
def test_it_can_be_skipped_by_hand(tmp_path: Path, tracking_uri: str) -> None:
    file = tmp_path / "driver"
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        objective="fault_objectives:kill_driver",
        trials=2,
        settings={"driver": str(file)},
    )
    with driver(config, tmp_path) as script:
        file.write_text(str(script.pid))
        assert script.wait() == -9
    with driver(config, tmp_path, options=["--skip-trial", "7"]) as script:
        assert script.wait() == 2
        assert "--skip-trial 7: sweep 'try' has no such unfinished trial" in script.stderr
        assert "trial-000" in script.stderr
    with driver(config, tmp_path, options=["--skip-trial", "0"]) as script:
        assert script.wait() == 0, script.stderr
    skipped, other = check_study(config, 2)
    assert (skipped.state, skipped.stop_reason) == (TrialState.FAIL, StopReason.SKIPPED)
    assert other.state is TrialState.COMPLETE
