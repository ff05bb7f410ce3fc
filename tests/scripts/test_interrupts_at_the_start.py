"""Ctrl-C, SIGTERM and SIGUSR1 while nothing runs yet, and a machine without a network: nothing is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from processes import ROOT, Script, _command
from script_runs import write_space

from search.engine.ending import ENDS_WITHIN_S

ALONE = ROOT / "tests" / "sweeps" / "without_network.py"
QUICK = ["--trials=1", "--max-epochs=1", "--train-size=100", "--val-size=50", "--space=my_space.py"]


def launch(folder: Path, digits_dir: Path, *before: str | Path) -> Script:
    """A launch of a sweep of one short trial, on a Ray of its own."""
    write_space(folder / "my_space.py", "'lr': FloatDistribution(0.01, 0.1)", "'depth': 1, 'width': 8")
    script = [*before, "launch_sweep"] if before else ["launch_sweep.py"]
    return Script(*script, "night", *QUICK, f"--data-dir={digits_dir}", cwd=folder, PYTHONPATH=str(ROOT))


def runs(script: Script, what: str) -> bool:
    """Whether one of its processes is this one."""
    return any(what in _command(pid) for pid in script.descendants())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["press_ctrl_c", "terminate", "preempt"])
@pytest.mark.parametrize("stage", ["", "gcs_server", "raylet", "ray::"])
def test_a_stop_at_the_start_leaves_nothing(tmp_path: Path, digits_dir: Path, stage: str, how: str) -> None:
    with launch(tmp_path, digits_dir) as script:
        script.until(lambda: runs(script, stage) if stage else bool(script.stderr))
        getattr(script, how)()
        asked = time.monotonic()
        assert script.wait() == 130, script.stderr
        assert time.monotonic() - asked < ENDS_WITHIN_S + 2
        assert "Traceback" not in script.stderr
        assert script.stderr.endswith("interrupted\n")
        assert [_command(pid) for pid in script.descendants()] == []
        assert not any(folder.exists() for folder in script.ray_folders)
        assert stage == "" or script.ray_folders, "Ray had begun"


@pytest.mark.slow
def test_a_sweep_needs_no_network(tmp_path: Path, digits_dir: Path) -> None:
    with launch(tmp_path, digits_dir, ALONE, "up") as script:
        if (code := script.wait()) == 77:
            pytest.skip("no network namespace can be made here")
        assert code == 0, script.stderr
        assert "1 complete, 0 pruned, 0 failed of 1 trials" in script.stdout


@pytest.mark.slow
def test_a_machine_that_does_not_reach_itself_is_told_so_at_once(tmp_path: Path, digits_dir: Path) -> None:
    with launch(tmp_path, digits_dir, ALONE, "down") as script:
        if (code := script.wait()) == 77:
            pytest.skip("no network namespace can be made here")
        assert code == 2
        assert "does not reach itself at 127.0.0.1" in script.stderr
        assert "ip link set lo up" in script.stderr
        assert not (tmp_path / "sweeps").exists()
