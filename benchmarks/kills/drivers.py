"""Drivers of one sweep: started, killed at a named point or at a random moment, and run to the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.kills.formula import begun
from search.config.sweep_config import SweepConfig
from search.study.failpoints import FAIL_POINTS

RANDOM = "random moment"
IN_WORKER = ("checkpoint.before", "checkpoint.after")
OF_FREEZING = tuple(point for point in FAIL_POINTS if point.startswith(("freeze", "thaw")))
# No sweep here has so many frozen trials that a checkpoint is dropped, which has its price in epochs.
POINTS = tuple(point for point in FAIL_POINTS if not point.startswith("drop"))
_LONGEST_RUN_S = 600.0  # a driver that takes longer hangs, however busy the machine is
_ROOT = Path(__file__).parents[2]


class Drivers:
    """Of a sweep that lies in a folder, one after another.

    Args:
        folder: of the sweep.
        works_in: their current folder.
        environment: theirs, beside this process's own.

    Attributes:
        log: where trials write down the epochs that they begin.
        died: made by the process that dies at a fail point, at that moment.
    """

    def __init__(self, folder: Path, works_in: Path, environment: Mapping[str, str]) -> None:
        self.log, self.died, self._planned = folder / "epochs.log", folder / "died", folder / "plan.json"
        self._works_in, self._environment = works_in, environment

    def run(self, config: SweepConfig, **environment: str) -> int:
        """Run a driver until it ends or is killed; its exit code."""
        with self._start(config, environment) as driver:
            try:
                _, errors = driver.communicate(timeout=_LONGEST_RUN_S)
            except subprocess.TimeoutExpired:
                driver.kill()
                raise
        assert driver.returncode in (0, -signal.SIGKILL), errors
        return driver.returncode

    def run_and_kill(self, config: SweepConfig, kind: str, chance: random.Random) -> bool:
        """Run a driver until it is killed in this way; False if it ended before."""
        if kind == RANDOM:
            return self._kill_at_random(config, chance)
        self.died.unlink(missing_ok=True)
        point = f"{kind}:{chance.randint(1, 3)}"
        code = self.run(config, SWEEP_FAIL_POINT=point, SWEEP_FAIL_ONCE=str(self.died))
        return code == -signal.SIGKILL or self.died.exists()

    def _kill_at_random(self, config: SweepConfig, chance: random.Random) -> bool:
        """Every third while the driver starts, the others while it trains; False if it ended before."""
        before, delay = len(begun(self.log)), chance.uniform(0, 4)
        starting = chance.random() < 1 / 3
        with self._start(config, {}) as driver:
            give_up = time.monotonic() + _LONGEST_RUN_S
            while not starting and len(begun(self.log)) == before and driver.poll() is None:
                assert time.monotonic() < give_up, "the driver hangs"
                time.sleep(0.02)
            try:
                driver.communicate(timeout=2 * delay if starting else delay)
            except subprocess.TimeoutExpired:
                driver.kill()
                driver.communicate()
        return driver.returncode == -signal.SIGKILL

    def _start(self, config: SweepConfig, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        self._planned.write_text(config.model_dump_json())
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.kills", "--drive", str(self._planned)],
            cwd=self._works_in,
            env={**os.environ, "PYTHONPATH": str(_ROOT), **self._environment, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
