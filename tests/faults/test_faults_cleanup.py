"""Training functions that take long to clean up, never do, or end of themselves: nobody else pays for it."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fault_objectives
import pytest
from fault_tools import Toll, driver, logged_sweep
from optuna.trial import TrialState
from sweep_checks import check_study, check_view, records_in

from search.driver import run_sweep
from search.study.records import StopReason

CLEAN_S = 2.5  # longer than Ray waits for a worker's old function
PRUNES_ALL = {"pruner": "threshold", "pruner_args": {"lower": 2.0, "n_warmup_steps": 0}}
GRACE_S, MARGIN_S = 2.0, 15.0


@pytest.mark.parametrize("slots", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("local_ray", "by_value")
def test_a_clean_up_gets_its_time_and_nobody_else_is_charged(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture, slots: int
) -> None:
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        trials=2 * slots,
        concurrency=slots,
        settings={"clean_s": {"others": CLEAN_S}, "marks": str(tmp_path), "epoch_s": 0.0},
        **PRUNES_ALL,
    )
    with caplog.at_level(logging.WARNING, "search"):
        result = run_sweep(config, fault_objectives.linger)
    assert {record.state for record in check_study(config, 2 * slots)} == {TrialState.PRUNED}
    assert {record.times_lost for record in result.records} == {0}
    assert len({record.epochs[0].worker for record in result.records}) == slots, "the workers stay"
    assert len(list(tmp_path.glob("cleaned-*"))) == 2 * slots, "the last ones' clean-up too was waited for"
    assert not caplog.records


@pytest.mark.usefixtures("local_ray", "by_value")
def test_a_clean_up_that_takes_too_long_costs_its_worker_alone(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        trials=3,
        cleanup_time=1.0,
        settings={"clean_s": {"0": 3600.0}, "marks": str(tmp_path), "epoch_s": 0.0},
        **PRUNES_ALL,
    )
    with caplog.at_level(logging.WARNING, "search"):
        result = run_sweep(config, fault_objectives.linger)
    first, *rest = check_study(config, 3)
    assert {record.state for record in (first, *rest)} == {TrialState.PRUNED}
    assert {record.times_lost for record in result.records} == {0}
    assert first.epochs[0].worker not in {record.epochs[0].worker for record in rest}
    assert [record.getMessage() for record in caplog.records] == [
        "trial-000: its clean-up took longer than the 1 s of `cleanup_time`; its worker was killed"
    ]
    check_view(config)


@pytest.mark.slow
@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("how", ["epoch", "clean-up", "swallow"])
def test_a_stop_ends_within_its_grace_whatever_hangs(
    tmp_path: Path, tracking_uri: str, how: str, slots: int
) -> None:
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        objective="fault_objectives:stuck",
        trials=slots,
        concurrency=slots,
        cleanup_time=3600.0,
        settings={"stuck": how, "marks": str(tmp_path)},
        **(PRUNES_ALL if how != "epoch" else {}),
    )
    with driver(config, tmp_path, constants={"search.engine.dispatch.STOP_GRACE_S": GRACE_S}) as script:
        script.until(lambda: len(list(tmp_path.glob("stuck-*"))) == slots)
        script.terminate()
        signalled = time.monotonic()
        assert script.wait() == 130, script.stderr
        assert time.monotonic() - signalled < GRACE_S + MARGIN_S
        script.wait_for_descendants()
        assert not list(script.temporary.glob("sweep-trial-*")), "what killed workers leave goes too"
    state = TrialState.RUNNING if how == "epoch" else TrialState.PRUNED
    assert {record.state for record in records_in(config)} == {state}


@pytest.mark.usefixtures("local_ray", "by_value")
def test_an_exit_is_its_trials_error_once(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    ways = {
        "exit": "SystemExit: 3",
        "interrupt": "KeyboardInterrupt",
        "main": "KeyboardInterrupt in the worker's main thread",
    }
    leave = {str(number): how for number, how in enumerate(ways, 1)}
    config = logged_sweep(tmp_path, tracking_uri, trials=5, concurrency=2, settings={"leave": leave})
    config = config.model_copy(update={"max_failed_share": 1.0})
    with caplog.at_level(logging.WARNING, "search"):
        run_sweep(config, fault_objectives.leave)
    records = check_study(config, 5)
    assert [record.state.name for record in records] == ["COMPLETE", *["FAIL"] * 3, "COMPLETE"]
    for record, told in zip(records[1:4], ways.values(), strict=True):
        assert record.stop_reason is StopReason.ERROR
        assert record.error is not None
        assert record.error.splitlines()[-1] == told
        assert record.times_lost == 0
    (first_failure,) = caplog.records  # nothing of workers that are lost
    assert first_failure.name == "search.engine.limits"
    check_view(config)


@pytest.mark.slow
def test_what_a_killed_driver_and_its_workers_left_is_deleted_by_the_next(
    tmp_path: Path, tracking_uri: str
) -> None:
    config = logged_sweep(tmp_path, tracking_uri, trials=2, settings={"epoch_s": 0.5})
    with driver(config, tmp_path) as script:
        script.until(lambda: bool(Toll(config).finished))
        script.kill()
        script.wait_for_descendants()
        [ray_folder] = script.ray_folders
        assert ray_folder.is_dir()
        assert list(script.temporary.glob("sweep-trial-*"))
        # As a worker of Ray's that has not noticed yet, and would make the folder anew; and a user.
        with sleeper(f"--temp-dir={ray_folder}") as worker, sleeper(str(ray_folder / "logs")) as reader:
            with driver(config, tmp_path) as resumed:
                assert resumed.wait() == 0, resumed.stderr
                assert not list(resumed.temporary.glob("sweep-trial-*"))
            assert not ray_folder.exists()
            assert worker.wait(10) == -signal.SIGKILL
            assert reader.poll() is None


@contextlib.contextmanager
def sleeper(word: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has this word in its command line."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", word]) as process:
        yield process
        process.kill()
