"""Trials that fail in every way there is, and workers that die: the sweep goes on and counts exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from script_runs import run_script
from scripted import FAULT_EPOCH, log_lines
from sqlalchemy.exc import OperationalError
from sweep_checks import check_study, check_view
from sweep_fixtures import MakeSweep, scripted_sweep

import search.drive
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from search.policy.making import make_policy
from search.study.opening import open_study
from search.study.records import Outcome, StopReason

TRIALS = 10
FAULTS = {2: "exception", 3: "memory", 4: "nan", 5: "killed_once", 6: "killed_always"}
REASONS = {2: StopReason.ERROR, 3: StopReason.OOM, 6: StopReason.LOST}
MESSAGES = {
    2: "RuntimeError: this configuration cannot be trained",
    3: "MemoryError: no room for the activations",
    4: "FloatingPointError: val_acc is nan in epoch 2",
    6: "(attempt 2 of 2)",
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tracking_uri: str) -> SweepConfig:
    folder = tmp_path_factory.mktemp("failures")
    settings = {
        "log": str(folder / "log"),
        "mended": str(folder / "mended"),
        "faults": {str(number): fault for number, fault in FAULTS.items()},
    }
    return scripted_sweep(
        sweeps_dir=folder / "sweeps",
        tracking_uri=tracking_uri,
        trials=TRIALS,
        concurrency=2,
        max_attempts=2,
        settings=settings,
    )


@pytest.fixture(scope="module")
def result(config: SweepConfig, local_ray: None) -> SweepResult:
    """The sweep with all the faults, its pauses between attempts shortened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.engine.waiting.FIRST_PAUSE_S", 0.1)
        return run_sweep(config)


def attempts(config: SweepConfig, number: int) -> list[tuple[int, int]]:
    """Epoch and process of each training of a trial's epochs, in the order of time."""
    lines = log_lines(Path(config.settings["log"]))
    return [(line["epoch"], line["pid"]) for line in lines if line["trial"] == number]


def test_each_failure_has_its_reason_and_the_sweep_goes_on(config: SweepConfig, result: SweepResult) -> None:
    assert result.succeeded
    records = check_study(config, TRIALS)
    failed = {r.number: r.stop_reason for r in records if r.state is TrialState.FAIL}
    assert failed == REASONS
    for number, message in MESSAGES.items():
        assert (records[number].error or "").endswith(message)
        assert len(records[number].epochs) == FAULT_EPOCH - 1, "what was trained before the fault is kept"
    assert (records[4].state, records[4].outcome) == (TrialState.PRUNED, Outcome.DIVERGED)
    assert all(r.state is TrialState.COMPLETE for r in records if r.number not in MESSAGES)
    view = check_view(config)
    assert view.trials[4].data.tags["sweep.error"] == records[4].error
    assert view.trials[2].data.tags["sweep.error"] == records[2].error


def test_a_trial_whose_worker_was_killed_goes_on_from_its_checkpoint(
    config: SweepConfig, result: SweepResult
) -> None:
    assert result.records[5].state is TrialState.COMPLETE
    assert result.records[5].times_lost == 1
    trained = attempts(config, 5)
    assert [epoch for epoch, _ in trained] == [1, 2, 2, 3, 4], "only the epoch in flight is trained again"
    first, second = trained[0][1], trained[-1][1]
    assert [pid for _, pid in trained] == [first, first, second, second, second]
    assert first != second


def test_a_trial_whose_workers_are_always_killed_gets_so_many_attempts(
    config: SweepConfig, result: SweepResult
) -> None:
    assert [epoch for epoch, _ in attempts(config, 6)] == [1] + [2] * config.max_attempts


def test_no_worker_trains_on_after_a_failure(config: SweepConfig, result: SweepResult) -> None:
    lines = log_lines(Path(config.settings["log"]))
    for number in REASONS:
        pid = attempts(config, number)[-1][1]
        last = max(index for index, line in enumerate(lines) if line["trial"] == number)
        assert pid not in {line["pid"] for line in lines[last + 1 :]}


def test_retried_trials_get_their_parameters_again(config: SweepConfig, result: SweepResult) -> None:
    Path(config.settings["mended"]).touch()
    retried = run_sweep(config, retry_failed=True)
    records = check_study(config, TRIALS + len(REASONS))
    assert {r.number: r.retry_of for r in records[TRIALS:]} == dict(enumerate(sorted(REASONS), TRIALS))
    for record in records[TRIALS:]:
        assert record.state is TrialState.COMPLETE
        assert record.retry_of is not None
        assert record.params == records[record.retry_of].params
    assert records[:TRIALS] == result.records
    again = next(record for record in records if record.retry_of == 6)
    assert [epoch for epoch, _ in attempts(config, again.number)] == [2, 3, 4], "lost, it goes on"
    failed = next(record for record in records if record.retry_of == 2)
    assert [epoch for epoch, _ in attempts(config, failed.number)] == [1, 2, 3, 4], "failed, it begins anew"
    assert retried.succeeded
    check_view(config)


@pytest.mark.parametrize("place", ["open_study", "run_tune"], ids=["before it", "after it"])
def test_a_storage_hiccup_at_the_start_neither_drops_nor_doubles_the_retry(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    config = make_sweep(trials=2)
    with open_study(config, make_policy(config)) as (ledger, _):
        ledger.fail(ledger.start(ledger.ask().number).number, StopReason.ERROR, "it cannot be trained")
    there, hiccups = getattr(search.drive, place), [OperationalError("SELECT", {}, Exception("away"))]

    def hiccup(*args: Any) -> Any:
        if hiccups:
            raise hiccups.pop()
        return there(*args)

    monkeypatch.setattr(search.drive, place, hiccup)
    run_sweep(config, retry_failed=True)
    assert not hiccups
    assert [record.retry_of for record in check_study(config, 3)] == [None, 0, None]


def test_a_sweep_whose_first_trials_all_fail_stops(
    make_sweep: MakeSweep, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_sweep(trials=9, first_failures=2, settings={"faults": {"0": "exception", "1": "exception"}})
    config.save()
    result = run_script("resume", config.name, "--sweeps-dir", config.sweeps_dir)
    assert result.exit_code == 1
    assert "trial-001 failed (error): RuntimeError: this configuration cannot be trained" in result.stderr
    assert "trial-000 and 1 more failed (error): RuntimeError: this configuration cannot" in caplog.text
    assert "too many trials failed; resume it with:  uv run scripts/resume_sweep.py try" in result.stdout
    check_study(config, 2)
    assert check_view(config, status="FAILED").parent.data.tags["sweep.state"] == "failed"
