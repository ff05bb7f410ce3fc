"""Checkpoints follow a sweep to the place that a resume names for them, whatever is found there."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import pytest
from sweep_makers import epoch, sweep_config

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.policy.making import make_policy
from search.study.checkpoints import CheckpointStore, checkpoint_path
from search.study.opening import open_study


@pytest.fixture
def config(tmp_path: Path) -> SweepConfig:
    """A sweep with a trial that has a checkpoint."""
    config = sweep_config(tmp_path / "sweeps")
    with open_study(config, make_policy(config)) as (ledger, _):
        store = CheckpointStore(config.checkpoint_root)
        store.claim(ledger.sweep_id)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "model.pt").write_text("learnt")
    store.save(0, (epoch(1, checkpoint=checkpoint_path(0, 1)),), tmp_path / "files")
    return config


def opened(config: SweepConfig) -> CheckpointStore:
    """Where the checkpoints lie once a driver has opened the study and claimed them."""
    with open_study(config, make_policy(config)) as (ledger, _):
        store = CheckpointStore(config.checkpoint_root)
        store.claim(ledger.sweep_id)
    return store


def resumes_from(store: CheckpointStore) -> int | None:
    """The epoch of the trial's newest whole checkpoint."""
    newest, faults = store.newest(0)
    assert faults == []
    return newest.history[-1].epoch if newest else None


@pytest.mark.parametrize("place", ["{}", "file://{}"], ids=["folder", "URI"])
def test_they_are_copied_to_the_new_place_and_back(
    config: SweepConfig, tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    moved = sweep_config(config.sweeps_dir, checkpoints=place.format(tmp_path / "e"))
    with caplog.at_level(logging.INFO, "search"):
        assert resumes_from(opened(moved)) == 1
    assert "checkpoints of 1 trials copied to" in caplog.text
    shutil.rmtree(config.checkpoint_root)
    assert resumes_from(opened(config)) == 1
    assert SweepConfig.load("try", config.sweeps_dir).checkpoints is None


def test_those_that_were_moved_by_hand_are_taken_as_they_are(config: SweepConfig, tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    shutil.move(config.checkpoint_root, tmp_path / "e" / "try")
    assert resumes_from(opened(sweep_config(config.sweeps_dir, checkpoints=str(tmp_path / "e")))) == 1


def test_a_copy_that_was_cut_short_is_made_again(
    config: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = sweep_config(config.sweeps_dir, checkpoints=str(tmp_path / "e"))

    def killed(self: SweepConfig, study_id: str | None = None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SweepConfig, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            opened(moved)
    (tmp_path / "e" / "try" / "trial-000" / "epoch-0001" / "model.pt").unlink()
    assert SweepConfig.load("try", config.sweeps_dir).checkpoints is None
    assert resumes_from(opened(moved)) == 1


def test_a_place_that_has_gone_is_told_and_the_sweep_goes_on(
    config: SweepConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(config.checkpoint_root)
    assert resumes_from(opened(sweep_config(config.sweeps_dir, checkpoints=str(tmp_path / "e")))) is None
    assert re.search("no checkpoints to copy to .*/e/try: unfinished trials start anew", caplog.text)


def test_another_studys_place_is_refused_and_nothing_is_copied_there(
    config: SweepConfig, tmp_path: Path
) -> None:
    other = CheckpointStore(str(tmp_path / "e" / "try"))
    other.claim("another")
    with pytest.raises(UserError, match="are those of another study"):
        opened(sweep_config(config.sweeps_dir, checkpoints=str(tmp_path / "e")))
    assert [path.name for path in (tmp_path / "e" / "try").iterdir()] == ["sweep_id"]
    assert resumes_from(opened(SweepConfig.load("try", config.sweeps_dir))) == 1, (
        "its file names the old place"
    )
