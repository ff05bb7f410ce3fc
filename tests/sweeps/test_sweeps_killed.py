"""`kill -9` of the driver at random moments, then a resume: every trial, epoch and point exactly once."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from processes import Script
from script_runs import run_script
from scripted import log_lines
from sweep_checks import check_study, check_view
from sweep_fixtures import FOR_WORKERS, scripted_sweep

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.opening import check_idle

KILLS, SEED = 3, 20
TRIALS, EPOCHS, EPOCH_S, AT_ONCE = 12, 4, 0.3, 2


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_drivers_killed_at_random_lose_and_double_nothing(tmp_path: Path, tracking_uri: str) -> None:
    log = tmp_path / "log"
    config = scripted_sweep(
        sweeps_dir=tmp_path / "sweeps",
        tracking_uri=tracking_uri,
        trials=TRIALS,
        max_epochs=EPOCHS,
        sampler="tpe",
        pruner="median",
        concurrency=AT_ONCE,
        settings={"log": str(log), "epoch_s": EPOCH_S},
    )
    config.save()
    moments = random.Random(SEED)
    # The first driver has a Ray of its own, which has to go with it; the others share the tests'.
    with begun(config, tmp_path, log) as driver:
        check_refused(config, driver)
        time.sleep(moments.uniform(0.0, 0.5))
        driver.kill()
        for _ in range(KILLS - 1):
            with begun(config, tmp_path, log, "--ray-address", cluster()) as next_driver:
                time.sleep(moments.uniform(0.0, 1.5))
                next_driver.kill()
        with resume(config, tmp_path, "--ray-address", cluster()) as last:
            assert last.wait() == 0, last.stderr
        driver.wait_for_descendants()

    records = check_study(config, TRIALS)
    check_view(config)
    times_trained = Counter((line["trial"], line["epoch"]) for line in log_lines(log))
    reported = {(record.number, epoch.epoch) for record in records for epoch in record.epochs}
    assert set(times_trained) == reported, "what was trained is what is known, nothing was lost"
    again = {key: times - 1 for key, times in times_trained.items() if times > 1}
    assert sum(again.values()) <= KILLS * AT_ONCE, "at most the epoch in flight of each running trial"
    assert all(times <= KILLS for times in again.values())


def resume(config: SweepConfig, folder: Path, *more: str) -> Script:
    """Launch and resume are the same: a sweep that has only its configuration begins, others go on."""
    where = ["--sweeps-dir", config.sweeps_dir]
    return Script("resume_sweep.py", config.name, *where, *more, cwd=folder, **FOR_WORKERS)


@contextlib.contextmanager
def begun(config: SweepConfig, folder: Path, log: Path, *more: str) -> Iterator[Script]:
    """A driver whose first worker has begun an epoch."""
    before = len(log_lines(log))
    with resume(config, folder, *more) as driver:
        driver.until(lambda: len(log_lines(log)) > before)
        yield driver


def check_refused(config: SweepConfig, driver: Script) -> None:
    """A second driver is told of the first, and to leave it alone."""
    second = run_script("resume", config.name, "--sweeps-dir", config.sweeps_dir)
    assert second.exit_code == 2
    told = rf"is being driven on host {socket.gethostname()}, pid {driver.pid}: let it finish, or stop it"
    assert re.search(told, second.stderr.splitlines()[-1])
    with pytest.raises(UserError, match=told):
        check_idle(config)  # as retrain_best.py does: what it found may not be all


def cluster() -> str:
    """Address of the tests' own Ray."""
    return str(ray.get_runtime_context().gcs_address)
