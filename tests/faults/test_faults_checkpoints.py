"""Checkpoints that are damaged, that no disk has room for, or that are too many."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import fault_objectives
import pytest
from fault_tools import Toll, can_mount, logged_sweep, tmpfs
from optuna.trial import TrialState
from sweep_checks import check_study, check_view
from sweep_fixtures import MakeSweep

from search.driver import run_sweep
from search.study.checkpoints import CheckpointStore
from search.study.records import TrialRecord

pytestmark = pytest.mark.usefixtures("local_ray", "by_value")


# Epochs that a trial trains whose newest checkpoint, or both, are damaged in its third; all have four.
TRAINED = {"corrupt": [1, 2, 3, 2, 3, 4], "half-written": [1, 2, 3, 2, 3, 4], "both": [1, 2, 3, 1, 2, 3, 4]}


@pytest.mark.parametrize(
    "ways", [("corrupt", "both"), pytest.param(("half-written",), marks=pytest.mark.slow)]
)
def test_a_damaged_checkpoint_is_passed_over_and_it_is_said(
    tmp_path: Path,
    tracking_uri: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    ways: tuple[str, ...],
) -> None:
    monkeypatch.setattr("search.engine.waiting.FIRST_PAUSE_S", 0.5)
    config = logged_sweep(
        tmp_path,
        tracking_uri,
        trials=len(ways) + 1,
        concurrency=2,
        settings={"damage": {}, "marks": str(tmp_path), "epoch_s": 0.0},
    )
    damaged = {str(number): how for number, how in enumerate(ways)}
    settings = {**config.settings, "damage": damaged, "checkpoints": config.checkpoint_root}
    config = config.model_copy(update={"settings": settings})
    toll = Toll(config)
    with caplog.at_level(logging.WARNING, "search"):
        assert run_sweep(config, fault_objectives.damage).succeeded
    whole = len(ways)  # the last trial
    expected = [*(TRAINED[how] for how in ways), [1, 2, 3, 4]]
    records = toll.check(whole + 1, in_flight=sum(len(epochs) - 4 for epochs in expected))
    begun = [[epoch for trial, epoch in toll.begun if trial == number] for number in range(whole + 1)]
    assert begun == expected
    assert all(record.state is TrialState.COMPLETE for record in records)
    for number, how in enumerate(ways):
        key, left = f"trial-{number:03d}", 0 if how == "both" else 1
        assert f"{key}: checkpoint {key}/epoch-0002 is not whole" in caplog.text
        assert f"{key}: resumes from epoch {left}, though the study knows 2 epochs of it" in caplog.text
    assert f"trial-{whole:03d}: " not in caplog.text


class PutBack(logging.Handler):
    """Puts checkpoints that lie `away` back as soon as it is said that they do not answer."""

    def __init__(self, stored: Path) -> None:
        super().__init__()
        self._stored = stored

    def emit(self, record: logging.LogRecord) -> None:
        if "checkpoints do not answer" in record.getMessage():
            self._stored.rmdir() if self._stored.is_dir() else self._stored.unlink()
            self._stored.with_name("away").rename(self._stored)


@pytest.mark.parametrize("how", ["away", pytest.param("unmounted", marks=pytest.mark.slow)])
def test_checkpoints_that_are_away_for_a_while_are_waited_for(
    tmp_path: Path,
    tracking_uri: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    monkeypatch.setattr("search.engine.waiting.FIRST_PAUSE_S", 0.1)
    config = logged_sweep(
        tmp_path, tracking_uri, trials=2, settings={"damage": {}, "marks": str(tmp_path), "epoch_s": 0.05}
    )
    settings = {**config.settings, "damage": {"0": how}, "checkpoints": config.checkpoint_root}
    config = config.model_copy(update={"settings": settings})
    toll = Toll(config)
    stored = Path(config.checkpoint_root)
    put_back = PutBack(stored / "trial-000" if how == "away" else stored)
    logger = logging.getLogger("search")
    logger.addHandler(put_back)
    try:
        with caplog.at_level(logging.WARNING, "search"):
            assert run_sweep(config, fault_objectives.damage).succeeded
    finally:
        logger.removeHandler(put_back)
    records = toll.check(2, in_flight=1)
    assert [record.state for record in records] == [TrialState.COMPLETE] * 2
    assert records[0].times_lost == 1, "waiting costs no attempt"
    assert [epoch for trial, epoch in toll.begun if trial == 0] == [1, 2, 3, 3, 4]
    assert "trial-000: checkpoints do not answer" in caplog.text
    assert "trial-000: checkpoints answer again" in caplog.text


class Fullest:
    """Counts the checkpoints of running and of ended trials at every change; remembers the most."""

    def __init__(self, root: Path) -> None:
        self._root, self._running = root, set[int]()
        self.most_of_running = self.most_beside = 0

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None: ...

    def trial_changed(self, record: TrialRecord) -> None:
        # One that has just ended is cleared away after its observers were told.
        counts = {f.name: len(list(f.glob("epoch-*/manifest.json"))) for f in self._root.glob("trial-*")}
        self._running.add(record.number)
        running = [counts.pop(f"trial-{number:03d}", 0) for number in self._running]
        self.most_of_running = max([self.most_of_running, *running])
        self.most_beside = max(self.most_beside, sum(counts.values()))
        if record.state is not TrialState.RUNNING:
            self._running.discard(record.number)


def test_checkpoints_stay_within_their_bound(make_sweep: MakeSweep) -> None:
    config = make_sweep(trials=30, max_epochs=4, keep_checkpoints=3, pruner="asha")
    root = Path(config.checkpoint_root)
    fullest = Fullest(root)
    assert run_sweep(config, observers=[fullest]).succeeded
    records = check_study(config, 30)
    assert fullest.most_of_running <= 2, "of a running trial the newest two"
    assert fullest.most_beside <= 3, "of the best ended ones the newest each"
    best = sorted(records, key=lambda r: (-(r.value or 0.0), r.number))[:3]
    left = sorted(str(path.relative_to(root)) for path in root.glob("*/*"))
    assert left == sorted(f"{record.key}/epoch-0004" for record in best)
    check_view(config)


def test_a_full_disk_costs_checkpoints_and_no_epoch(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not can_mount(tmp_path):
        pytest.skip("only root may mount a small file system")
    with tmpfs(tmp_path / "small", "256k") as small:
        config = logged_sweep(
            tmp_path,
            tracking_uri,
            trials=4,
            checkpoints=str(small / "checkpoints"),
            settings={"bytes": 100_000, "die": [0], "marks": str(tmp_path), "epoch_s": 0.05},
        )
        toll = Toll(config)
        with caplog.at_level(logging.WARNING, "search"):
            assert run_sweep(config, fault_objectives.heavy).succeeded
        records = toll.check(4, in_flight=3)  # trial 0 dies in its third epoch; a checkpoint may be missing
        assert all(record.state is TrialState.COMPLETE for record in records)
        assert "No space left on device); training continues" in caplog.text
        for folder in Path(config.checkpoint_root).glob("*/*"):
            assert (folder / "manifest.json").is_file(), "a half-written one would only fill the disk"


def test_checkpoints_that_cannot_be_deleted_stop_nothing(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: CheckpointStore, number: int) -> None:
        raise OSError(30, "Read-only file system")

    config = make_sweep(trials=6, keep_checkpoints=1)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "search"):
        patch.setattr(CheckpointStore, "discard", refuse)
        assert run_sweep(config).succeeded
    assert "Read-only file system" in caplog.text
    check_study(config, 6)
    check_view(config)
    assert run_sweep(config).succeeded
    assert len(list(Path(config.checkpoint_root).glob("*/*"))) == 1, "the next driver clears up"
