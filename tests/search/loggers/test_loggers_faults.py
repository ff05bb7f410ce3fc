"""Loggers that cannot be had are refused before anything starts; W&B's own process may die."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState
from script_runs import run_script
from sweep_makers import record

from search.errors import UserError
from search.loggers.making import check_loggers
from search.loggers.trial_logs import TrialLogs
from search.study.records import TrialRecord


def test_a_logger_that_is_not_installed_is_refused_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in [name for name in sys.modules if "tensorboard" in name.split(".")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    check_loggers([])
    with pytest.raises(UserError, match=r"^`loggers=tensorboard`: it cannot be loaded .*\.\[tensorboard\]'"):
        check_loggers(["tensorboard"])
    monkeypatch.chdir(tmp_path)
    told = run_script("launch", "--logger", "tensorboard", "--trials", 1)
    assert told.exit_code == 2
    assert told.stderr.splitlines()[-1].startswith("error: --logger tensorboard: it cannot be loaded")
    assert not (tmp_path / "sweeps").exists()


class Failing:
    """A log whose trial fails to be written once."""

    begun = 0

    def __init__(self, record: TrialRecord) -> None:
        Failing.begun += 1
        self.closed = False

    def write(self, record: TrialRecord) -> None:
        if Failing.begun == 1:
            raise OSError(28, "No space left on device")

    def end(self, record: TrialRecord) -> None: ...

    def close(self) -> None:
        raise OSError(28, "nor to close it")


def test_a_log_that_fails_is_begun_anew_and_one_that_is_noted_half_is_not_whole(tmp_path: Path) -> None:
    notes = tmp_path / "whole.txt"
    logs = TrialLogs(Failing, notes)
    with pytest.raises(OSError, match="No space"):
        logs.trial_changed(record(12, TrialState.RUNNING))
    logs.trial_changed(record(12))
    assert Failing.begun == 2
    notes.write_text(notes.read_text()[:-2])  # the driver died there
    TrialLogs(Failing, notes).sweep_opened([record(12)])
    assert Failing.begun == 3
    TrialLogs(Failing, notes).sweep_opened([record(12), record(13, TrialState.WAITING)])
    assert Failing.begun == 3


def python(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Code run in a process of its own, which W&B changes for good, by somebody without a key."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    paths = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[1])))
    home = {"HOME": str(folder), "PYTHONPATH": paths, "NETRC": str(folder / "netrc")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, **home, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_wandb_without_a_key_is_refused_unless_it_is_offline(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    code = "from search.loggers.making import check_loggers; check_loggers(['wandb'])"
    refused = python(code, tmp_path).stderr.splitlines()[-1]
    assert "`loggers=wandb`: W&B has no API key: run `wandb login`, or set WANDB_MODE=offline" in refused
    assert python(code, tmp_path, WANDB_MODE="offline").returncode == 0
    with socket.create_server(("127.0.0.1", 0)) as server:  # which does not answer
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert python(code, tmp_path, WANDB_API_KEY="k" * 40, WANDB_BASE_URL=address).returncode == 0
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # and was not asked
            server.accept()


FAILS_ONCE = """
from pathlib import Path
import wandb
from logged import of_record, wandb_offline_logs
from played import CHANGES, SWEEP_ID, after, sweep
from search.loggers import wandb as logger_module
from search.loggers.making import make_loggers

finish, failures = logger_module._finish, [OSError(28, "No space left on device")]

def fail_once(run, record):
    if failures:
        raise failures.pop()
    finish(run, record)

logger_module._finish = fail_once
config = sweep(Path("."), "wandb")
((_, logger),) = make_loggers(config, SWEEP_ID).items()
for _ in range(2):
    try:
        logger.sweep_opened(after(len(CHANGES)))
        print("opened")
    except OSError as error:
        print(error.strerror)
wandb.teardown()  # its process has written everything when it is gone
ended = [record for record in after(len(CHANGES)) if record.state.is_finished()]
logs = wandb_offline_logs(config.folder)
print([logs[record.number].points == of_record(record) for record in ended])
"""
DIES = """
import os, signal, subprocess, sys
from pathlib import Path
import wandb
from logged import of_record, wandb_offline_logs
from played import CHANGES, SWEEP_ID, after, sweep
from search.engine.background import Background
from search.loggers.making import make_loggers

config = sweep(Path("."), "wandb")
((_, logger),) = make_loggers(config, SWEEP_ID).items()
background = Background("W&B", logger, lambda: None)
logger.sweep_opened(after(6))  # begins with a trial that has ended, so that the process is there
for child in subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True).stdout.split():
    if "wandb-core" in Path(f"/proc/{child}/cmdline").read_text():
        os.kill(int(child), signal.SIGKILL)
        print("killed")
background.sweep_opened([])
for change in CHANGES[6:]:
    background.trial_changed(change)
print(background.close(60))
wandb.teardown()  # its process has written everything when it is gone
ended = [record for record in after(len(CHANGES)) if record.state.is_finished()]
logs = wandb_offline_logs(config.folder)
print([logs[record.number].points == of_record(record) for record in ended])
"""


def wandb_offline(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    sweeps = Path(__file__).parents[2] / "sweeps"
    return python(f"import sys; sys.path.append({str(sweeps)!r})\n{code}", folder, WANDB_MODE="offline")


def test_a_run_that_could_not_be_written_is_written_anew(tmp_path: Path) -> None:
    done = wandb_offline(FAILS_ONCE, tmp_path)
    told = ["No space left on device", "opened", "[True, True, True, True]"]
    assert done.stdout.splitlines() == told, done.stderr


def test_wandbs_process_that_dies_is_started_anew_and_nothing_is_missing(tmp_path: Path) -> None:
    done = wandb_offline(DIES, tmp_path)
    assert done.stdout.splitlines() == ["killed", "None", "[True, True, True, True]"], done.stderr
    assert "the sweep continues, and it is told again" in done.stderr
