"""A study's storage that cannot be written: for a while, for ever, or never at all."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_tools import After, Lock, Toll, can_mount, logged_sweep, remount, tmpfs
from script_runs import run_script
from sweep_checks import check_study

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.errors import SweepFailed, UserError

TRIALS, AT_ONCE = 4, 2

pytestmark = pytest.mark.usefixtures("local_ray")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits a moment for another, not a minute."""
    monkeypatch.setattr("search.study.database._SQLITE_WAIT_S", 0.5)


@pytest.fixture
def config(tmp_path: Path, tracking_uri: str) -> SweepConfig:
    return logged_sweep(tmp_path, tracking_uri, trials=TRIALS, concurrency=AT_ONCE, settings={"epoch_s": 0.3})


@pytest.fixture
def locks() -> Iterator[list[Lock]]:
    held: list[Lock] = []
    yield held
    for lock in held:
        lock.release()


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_study_that_is_locked_for_a_while_is_waited_for(
    config: SweepConfig, locks: list[Lock], caplog: pytest.LogCaptureFixture
) -> None:
    lock_it = After(3, lambda: locks.append(Lock(config.folder / "study.db", seconds=4.0)))
    toll = Toll(config)
    with caplog.at_level(logging.WARNING, "search"):
        result = run_sweep(config, observers=[lock_it])
    assert lock_it.done
    assert result.succeeded
    assert "went away (database is locked); waiting for it, nothing is lost" in caplog.text
    assert "is back; going on" in caplog.text
    toll.check(TRIALS, in_flight=AT_ONCE)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
def test_a_study_that_stays_locked_ends_the_sweep_and_a_resume_completes_it(
    config: SweepConfig, locks: list[Lock], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.study.database.STORAGE_WAIT_S", 2.0)
    toll = Toll(config)
    lock_it = After(3, lambda: locks.append(Lock(config.folder / "study.db", seconds=600.0)))
    with pytest.raises(SweepFailed, match=r"did not come back in 2 s \(database is locked\)"):
        run_sweep(config, observers=[lock_it])
    locks.pop().release()
    toll.note_fault()
    resumed = run_script("resume", config.name, "--sweeps-dir", config.sweeps_dir)
    assert resumed.exit_code == 0, resumed.output
    toll.check(TRIALS, in_flight=AT_ONCE)


def test_a_full_disk_under_the_study_is_waited_for(
    tmp_path: Path, tracking_uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    if not can_mount(tmp_path):
        pytest.skip("only root may mount a small file system")
    with tmpfs(tmp_path / "small", "8m") as small:
        config = logged_sweep(tmp_path, tracking_uri, trials=TRIALS, settings={"epoch_s": 0.05})
        config = config.model_copy(update={"sweeps_dir": small, "checkpoints": str(tmp_path / "checkpoints")})
        ballast = small / "ballast"

        def fill() -> None:
            # What the log of the database holds already is written over in place, so that goes too.
            with sqlite3.connect(config.folder / "study.db") as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            with pytest.raises(OSError, match="No space left on device"):
                ballast.write_bytes(bytes(16 << 20))
            emptied = threading.Timer(1.5, ballast.unlink)
            emptied.daemon = True
            emptied.start()

        fill_it, toll = After(3, fill), Toll(config)
        with caplog.at_level(logging.WARNING, "search"):
            result = run_sweep(config, observers=[fill_it])
        assert fill_it.done
        assert result.succeeded
        assert "went away (database or disk is full); waiting for it" in caplog.text
        toll.check(TRIALS, in_flight=AT_ONCE)


def test_a_read_only_sweeps_folder_is_refused(tmp_path: Path, tracking_uri: str) -> None:
    file = tmp_path / "file"
    file.touch()
    config = logged_sweep(tmp_path, tracking_uri).model_copy(update={"sweeps_dir": file})
    with pytest.raises(UserError, match=rf"sweep folder {file}/try: .*make it writable"):
        run_sweep(config)
    assert file.read_bytes() == b""
    if not can_mount(tmp_path):
        pytest.skip("only root may mount a read-only file system")
    with tmpfs(tmp_path / "readonly", "64k,ro") as readonly:
        with pytest.raises(UserError, match=r"Read-only file system; .*make it writable"):
            run_sweep(config.model_copy(update={"sweeps_dir": readonly}))
        data = ["--data-dir", str(tmp_path / "data")]
        told = run_script("launch", "new", "--sweeps-dir", readonly, *data)
        assert told.exit_code == 2
        assert told.output.startswith("error: ")
        assert list(readonly.iterdir()) == []


def test_a_sweep_whose_folder_became_read_only_keeps_what_it_has(tmp_path: Path, tracking_uri: str) -> None:
    if not can_mount(tmp_path):
        pytest.skip("only root may mount a read-only file system")
    with tmpfs(tmp_path / "sweeps", "8m") as sweeps:
        config = logged_sweep(tmp_path, tracking_uri, trials=2, settings={"epoch_s": 0.0})
        assert run_sweep(config).succeeded
        remount(sweeps, "ro")
        more = [config.name, "--sweeps-dir", str(sweeps), "--trials", "3"]
        refused = run_script("resume", *more)
        assert refused.exit_code == 2, refused.output
        remount(sweeps, "rw")
        check_study(config, 2)
        assert run_script("resume", *more).exit_code == 0
        check_study(config, 3)
