"""Ctrl-C, SIGTERM and SIGUSR1: exit code 130, the command to go on with, and nothing trained twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray
from optuna.trial import TrialState
from processes import ROOT, Script
from script_runs import run_script, write_space
from sweep_checks import check_study, check_view, records_in

from search.config.sweep_config import SweepConfig
from search.study.records import TrialRecord

EPOCHS = 24


def reached(config_folder: Path, epoch: int) -> bool:
    """Whether some trial has a checkpoint of this epoch or a later one."""
    return any(int(path.name[-4:]) >= epoch for path in config_folder.glob("checkpoints/*/epoch-*"))


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("how", ["press_ctrl_c", "preempt"])
def test_interrupted_twice_and_resumed(
    tmp_path: Path, digits_dir: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = str(ray.get_runtime_context().gcs_address)  # quicker to begin on than a Ray of its own
    write_space(tmp_path / "my_space.py", "'lr': FloatDistribution(0.01, 0.1)", "'depth': 2, 'width': 8")
    sizes = ["--trials=1", f"--max-epochs={EPOCHS}", "--train-size=300", "--val-size=100"]
    where = ["--space=my_space.py", f"--data-dir={digits_dir}", "--pruner=none"]
    folder = tmp_path / "sweeps" / "night"
    with Script("launch_sweep.py", "night", *sizes, *where, cwd=tmp_path) as script:
        script.until(lambda: reached(folder, 2))
        getattr(script, how)()
        first = after_interrupt(script, folder)
    (trial,) = first
    with Script("resume_sweep.py", "night", "--ray-address", cluster, cwd=tmp_path) as script:
        script.until(lambda: reached(folder, len(trial.epochs) + 2))
        script.terminate()
        second = after_interrupt(script, folder)
    assert "trained again" not in script.stderr

    assert run_script("resume", "night").exit_code == 0
    config = SweepConfig.load("night", tmp_path / "sweeps")
    third = check_study(config, 1)
    check_view(config)
    for (before,), (after,) in ((first, second), (second, third)):
        done = len(before.epochs)
        assert after.epochs[:done] == before.epochs, "no finished epoch is trained again"
        assert {e.worker for e in after.epochs[done:]}.isdisjoint(e.worker for e in before.epochs)

    once = ["--top=1", "--seeds=1", f"--max-epochs={EPOCHS}"]
    with Script("retrain_best.py", "night", *once, "--ray-address", cluster, cwd=tmp_path) as script:
        script.until(lambda: any(folder.glob("retrain/*/checkpoints/*/epoch-0002")))
        getattr(script, how)()
        assert script.wait() == 130, script.stderr
        assert "interrupted: 0 of 1 trainings completed (interrupted): run the command again" in script.stderr


def after_interrupt(script: Script, folder: Path) -> list[TrialRecord]:
    """The trials after a script was interrupted: begun, and waiting to be resumed."""
    assert script.wait() == 130, script.stderr
    assert "interrupted; no trial is complete yet, best so far trial-000, stopped at" in script.stdout
    assert f"resume it with:  uv run {ROOT / 'scripts'}/resume_sweep.py night" in script.stdout
    assert "Traceback" not in script.stderr
    script.wait_for_descendants()
    config = SweepConfig.load("night", folder.parent)
    records = records_in(config)
    assert {record.state for record in records} == {TrialState.RUNNING}
    assert any(record.epochs for record in records)
    return records
