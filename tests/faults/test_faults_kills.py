"""`kill -9` at named fail points: after a resume nothing is lost and nothing is there twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from fault_tools import Toll, driver, logged_sweep
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.study.failpoints import FAIL_POINTS

TRIALS, AT_ONCE = 12, 2
IN_WORKER = ("checkpoint.before", "checkpoint.after")
OF_FREEZING = ("freeze", "thaw", "drop")
BY_DEFAULT = "prune.after"  # of the points; the others take minutes


def killable(folder: Path, tracking_uri: str, **fields: object) -> SweepConfig:
    """A sweep in which every kind of write happens: some trials fail, some are pruned."""
    return logged_sweep(
        folder,
        tracking_uri,
        trials=TRIALS,
        concurrency=AT_ONCE,
        keep_checkpoints=1,
        settings={"faults": {"1": "exception"}, "epoch_s": 0.1},
        **{"pruner": "asha", **fields},
    )


def run_and_kill(config: SweepConfig, folder: Path, point: str, toll: Toll) -> int:
    """The exit code of a driver that is killed, or whose worker is, at a fail point."""
    marker = folder / f"died at {point}"
    with driver(config, folder, SWEEP_FAIL_POINT=point, SWEEP_FAIL_ONCE=str(marker)) as script:
        code = script.wait()
        assert marker.exists(), f"nobody came to {point}: {script.stdout}\n{script.stderr}"
        if code:
            assert code == -signal.SIGKILL, script.stderr
            toll.note_fault()
    return code


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize(
    "point", [pytest.param(p, marks=[] if p == BY_DEFAULT else pytest.mark.slow) for p in FAIL_POINTS]
)
def test_killed_at_a_point(point: str, tmp_path: Path, tracking_uri: str) -> None:
    freezing = {"pruner": "promotion", "keep_frozen": 2} if point.startswith(OF_FREEZING) else {}
    config = killable(tmp_path, tracking_uri, **freezing)
    toll = Toll(config)
    code = run_and_kill(config, tmp_path, point, toll)
    assert code == (0 if point in IN_WORKER else -signal.SIGKILL)
    if code:
        assert run_sweep(config).succeeded
    records = toll.check(TRIALS, in_flight=1 if point in IN_WORKER else AT_ONCE)
    if not freezing:
        states = {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
        assert {record.state for record in records} == states
