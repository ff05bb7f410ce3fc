"""A sweep that was launched with places relative to one folder is the same sweep from every other folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from script_runs import run_script
from sweep_checks import check_study, check_view
from sweep_fixtures import MakeSweep

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep

TRIALS = 2


@pytest.fixture
def launched(make_sweep: MakeSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    """Launched in the folder `here`, all of its places relative."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = make_sweep(
        trials=TRIALS,
        sweeps_dir=Path("sweeps"),
        storage="sqlite:///studies.db",
        tracking_uri="sqlite:///mlflow.db",
        checkpoints="checkpoints",
    )
    assert run_sweep(config).succeeded
    monkeypatch.chdir(tmp_path / "there")
    return config


def test_a_resume_and_a_comparison_from_another_folder_leave_nothing_there(
    launched: SweepConfig, tmp_path: Path
) -> None:
    there = ["try", "--sweeps-dir", "../here/sweeps"]
    resumed = run_script("resume", *there, "--trials", TRIALS + 1)
    assert resumed.exit_code == 0, resumed.stderr
    compared = run_script("compare", *there)
    assert compared.exit_code == 0, compared.stderr
    assert "comparison   http" in compared.stdout
    assert list((tmp_path / "there").iterdir()) == []
    check_study(launched, TRIALS + 1)
    check_view(launched)


def test_a_moved_sweep_says_what_it_looks_for_until_all_is_named(
    launched: SweepConfig, tmp_path: Path
) -> None:
    moved = (tmp_path / "here").rename(tmp_path / "moved")
    resume = ["resume", "try", "--sweeps-dir", str(moved / "sweeps"), "--trials", TRIALS + 1]
    for option, name in (("--storage", "studies.db"), ("--tracking-uri", "mlflow.db")):
        refused = run_script(*resume)
        assert refused.exit_code == 2
        assert f"{launched.sweeps_dir.parent}/{name}" in refused.stderr
        assert option in refused.stderr
        resume += [option, f"sqlite:///{moved}/{name}"]
    assert not launched.sweeps_dir.parent.exists()
    assert run_script("compare", "try", "--sweeps-dir", moved / "sweeps").exit_code == 2
    resumed = run_script(*resume, "--checkpoints", f"{moved}/checkpoints")
    assert resumed.exit_code == 0, resumed.stderr
    config = SweepConfig.load("try", moved / "sweeps")
    check_study(config, TRIALS + 1)
    check_view(config)


def test_a_resume_takes_all_to_other_places(launched: SweepConfig, tmp_path: Path) -> None:
    """The checkpoints are copied, MLflow shows the whole sweep in the other experiment of the other store."""
    (tmp_path / "here" / "studies.db").rename(tmp_path / "there" / "moved.db")
    moved = [
        "--storage",
        "sqlite:///moved.db",
        "--tracking-uri",
        "sqlite:///other.db",
        "--experiment",
        "other",
    ]
    more = ["--checkpoints", "kept", "--trials", TRIALS + 1, "--keep-checkpoints", TRIALS + 1]
    resumed = run_script("resume", "try", "--sweeps-dir", launched.sweeps_dir, *moved, *more)
    assert resumed.exit_code == 0, resumed.stderr
    config = SweepConfig.load("try", launched.sweeps_dir)
    there = tmp_path / "there"
    assert (config.storage, config.tracking_uri, config.experiment, config.checkpoints) == (
        f"sqlite:///{there}/moved.db",
        f"sqlite:///{there}/other.db",
        "other",
        f"{there}/kept",
    )
    records = check_study(config, TRIALS + 1)
    view = check_view(config)
    assert [record.run_id for record in records] == [view.trials[r.number].info.run_id for r in records]
    kept = sorted(path.name for path in (there / "kept" / "try").glob("trial-*"))
    assert kept == [record.key for record in records]
    back = run_script(
        "resume", "try", "--sweeps-dir", launched.sweeps_dir, "--no-checkpoints", "--trials", TRIALS + 2
    )
    assert back.exit_code == 0, back.stderr
    assert sorted(path.name for path in (config.folder / "checkpoints").glob("trial-*"))[:3] == kept
