"""Every logger shows every trial whole, each point once, whatever line of its code a driver was killed at."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
pytest.importorskip("wandb", reason="the extra wandb is not installed")

from logged import Log, of_record, tensorboard_logs, wandb_offline_logs, wandb_online_logs
from optuna.trial import TrialState
from played import CHANGES, after
from wandb_server import WandbServer

KILLS, SEED = 6, 4
KINDS = ["tensorboard", "wandb offline", "wandb online"]
SAID_OF_END = {  # by state: what TensorBoard knows, and the trial's own word
    TrialState.COMPLETE: ("1", "complete"),
    TrialState.PRUNED: ("1", "pruned"),
    TrialState.FAIL: ("2", "failed"),
}


@dataclass
class Played:
    """A logger, the folder of its sweep, and the server that it may log to."""

    kind: str
    folder: Path
    server: WandbServer

    def play(self, kill_at: int = 0) -> int:
        """Play the changes that were not told yet; how many lines of the loggers' code that took."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        online = self.kind == "wandb online"
        environment = {
            **os.environ,
            "HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "WANDB_MODE": "offline",
            **(self.server.environment if online else {}),
        }
        script = [sys.executable, Path(__file__).with_name("played.py"), self.kind.split()[0], self.folder]
        done = subprocess.run(
            [*script, str(kill_at)], env=environment, capture_output=True, text=True, timeout=120
        )
        if kill_at:
            assert done.returncode == -signal.SIGKILL, done.stderr
            return 0
        assert done.returncode == 0, done.stderr
        return int(done.stdout.splitlines()[-1])

    @property
    def logs(self) -> dict[int, Log]:
        """What is shown of each trial."""
        if self.kind == "wandb online":
            return wandb_online_logs(self.server.history, self.server.summary)
        return (tensorboard_logs if self.kind == "tensorboard" else wandb_offline_logs)(self.folder / "night")

    def check(self) -> None:
        """Each epoch of each trial once; offline W&B has what has ended, for nobody watches it go on."""
        logs, trials = self.logs, after(len(CHANGES))
        if self.kind == "wandb offline":
            trials = [record for record in trials if record.state.is_finished()]
        assert logs.keys() == {record.number for record in trials}
        for record in trials:
            assert logs[record.number].points == of_record(record), record.key
            if record.state.is_finished():
                assert logs[record.number].end == SAID_OF_END[record.state][self.kind != "tensorboard"]


@pytest.fixture(params=KINDS)
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Played]:
    with WandbServer() as server:
        yield Played(request.param, tmp_path, server)


def test_each_epoch_of_each_trial_is_shown_once_though_a_driver_was_killed(played: Played) -> None:
    played.play(kill_at=100)
    played.play()
    played.check()
    played.play()  # a resume that has nothing to do
    played.check()


@pytest.mark.slow
def test_a_driver_that_is_killed_at_any_line_doubles_and_loses_nothing(played: Played) -> None:
    lines = played.play()
    played.check()
    for number, line in enumerate(random.Random(SEED).sample(range(1, lines), KILLS)):
        with WandbServer() as server:
            killed = Played(played.kind, played.folder / str(number), server)
            killed.play(kill_at=line)
            killed.play()
            killed.check()
