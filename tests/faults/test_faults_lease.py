"""A driver that sleeps past its lease (SIGSTOP, a suspended laptop) must not write when it wakes."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from fault_tools import Toll, driver, logged_sweep

from search.driver import run_sweep
from search.errors import UserError

TTL_S = 4.0
LEASE = {"search.study.lease.TTL_S": TTL_S, "search.study.lease.RENEW_S": TTL_S / 8}
TRIALS, AT_ONCE = 5, 2


def dump(file: Path, without: tuple[str, ...] = ()) -> list[str]:
    """Everything that a database holds, but for these tables."""
    with sqlite3.connect(file) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return [line for line in lines if not any(f'INTO "{table}"' in line for table in without)]


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_driver_that_slept_past_its_lease_writes_nothing_any_more(
    tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow_file = Path(tracking_uri.removeprefix("sqlite:///"))
    for place, seconds in LEASE.items():
        monkeypatch.setattr(place, seconds)
    config = logged_sweep(
        tmp_path, tracking_uri, trials=TRIALS, concurrency=AT_ONCE, settings={"epoch_s": 0.5}
    )
    toll = Toll(config)
    with driver(config, tmp_path, constants=LEASE) as first:
        first.until(lambda: len(toll.finished) >= 3)
        with pytest.raises(
            UserError, match=rf"is being driven on host .*, pid {first.pid}: .*kill {first.pid}"
        ):
            run_sweep(config)

        os.kill(first.pid, signal.SIGSTOP)
        time.sleep(TTL_S + 0.5)
        toll.note_fault()
        second = run_sweep(config)
        assert second.succeeded
        after_second = dump(config.folder / "study.db"), dump(mlflow_file)

        os.kill(first.pid, signal.SIGCONT)
        assert first.wait() == 1
        assert "was taken over by" in first.stderr
        assert "nothing more is written here" in first.stderr
    assert (dump(config.folder / "study.db"), dump(mlflow_file)) == after_second
    toll.check(TRIALS, in_flight=AT_ONCE)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_driver_that_is_stopped_for_less_than_its_lease_goes_on(tmp_path: Path, tracking_uri: str) -> None:
    config = logged_sweep(tmp_path, tracking_uri, trials=3, settings={"epoch_s": 0.2})
    toll = Toll(config)
    with driver(config, tmp_path) as only:
        only.until(lambda: len(toll.finished) >= 2)
        os.kill(only.pid, signal.SIGSTOP)
        time.sleep(3)
        os.kill(only.pid, signal.SIGCONT)
        assert only.wait() == 0, only.stderr
    toll.check(3, in_flight=0)
