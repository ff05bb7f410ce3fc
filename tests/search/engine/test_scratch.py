"""Temporary folders of processes that were killed are deleted by the next one, and only those."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.engine.scratch import SOCKETS, delete, held_folder, sweep_up

HOLDS = """
import sys, time
from pathlib import Path
from search.engine.scratch import held_folder
with held_folder("sweep-trial-", "007-", Path(sys.argv[1])) as folder:
    (folder / "files").mkdir()
    (folder / "files" / "weights").write_text("many")
    print(folder, flush=True)
    time.sleep(600)
"""


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a folder, and the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_block(tmp_path: Path) -> None:
    with held_folder("sweep-trial-", "001-", tmp_path) as folder:
        (folder / "file").touch()
        assert folder.name.startswith("sweep-trial-001-")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_when_the_next_one_begins_and_a_live_ones_stays(
    tmp_path: Path,
) -> None:
    (killed, left), (alive, held) = holder(tmp_path), holder(tmp_path)
    with killed, alive:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert (left / "files" / "weights").exists()
        with held_folder("sweep-trial-", "008-", tmp_path) as folder:
            assert sorted(tmp_path.iterdir()) == sorted([held, folder])
        assert (held / "files" / "weights").exists()
        alive.kill()


def test_a_process_that_is_killed_as_it_deletes_its_folder_leaves_that_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(path: Path, **_: object) -> None:
        raise KeyboardInterrupt

    with held_folder("sweep-trial-", parent=tmp_path) as folder, monkeypatch.context() as patched:
        (folder / "files").mkdir()
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            delete(folder)
        assert (folder / ".held").exists(), "by which the next one finds it"
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "sweep-trial-of-mine").mkdir()
    (tmp_path / "sweep-trial-of-mine" / "notes").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".held").touch()
    (tmp_path / "sweep-trial-link").symlink_to(elsewhere)
    (tmp_path / "other-0").mkdir()
    (tmp_path / "other-0" / ".held").touch()
    sweep_up("sweep-trial-", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "sweep-trial-of-mine",
        "sweep-trial-link",
        "elsewhere",
        "other-0",
    }
    assert (elsewhere / ".held").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_folders_of_another_user_stay(tmp_path: Path) -> None:
    folder = tmp_path / "sweep-trial-theirs"
    folder.mkdir()
    (folder / ".held").touch()
    os.chown(folder, 12345, 12345)
    sweep_up("sweep-trial-", tmp_path)
    assert folder.is_dir()


def test_a_process_that_was_forked_off_keeps_the_folder(tmp_path: Path) -> None:
    with held_folder("sweep-trial-", parent=tmp_path) as folder:
        child = os.fork()
        if child == 0:
            signal.pause()
        try:
            sweep_up("sweep-trial-", tmp_path)
            assert folder.is_dir()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


WITH_A_CHILD = """
import multiprocessing
from multiprocessing import resource_sharer
from search.engine.scratch import hold_sockets

def hand_a_file_on():
    resource_sharer.DupFd(1)
    print("handed", flush=True)
    multiprocessing.Event().wait()

hold_sockets()
multiprocessing.get_context("fork").Process(target=hand_a_file_on).start()
"""


def test_sockets_of_a_killed_process_and_its_children_go_as_its_folder_does(tmp_path: Path) -> None:
    command, environment = [sys.executable, "-c", WITH_A_CHILD], {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"handed\n"
        (folder,) = tmp_path.iterdir()
        sweep_up(SOCKETS, tmp_path)
        assert list(folder.rglob("listener-*")), "of a child that lives"
        os.killpg(parent.pid, signal.SIGKILL)
        with (folder / ".held").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # which waits for both to be dead
    sweep_up(SOCKETS, tmp_path)
    assert list(tmp_path.iterdir()) == []


LISTENS = """
import os
from multiprocessing.connection import Listener
from search.engine.scratch import hold_sockets
held = hold_sockets()
with Listener(family="AF_UNIX") as listener:
    print(len(os.fsencode(listener.address)))
"""


@pytest.mark.parametrize("length", [40, 75, 76, 120])
def test_sockets_have_a_path_however_long_the_temporary_folders_is(length: int) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        parent = Path(short, "t" * (length - len(short) - 1))
        parent.mkdir()
        told = subprocess.run(
            [sys.executable, "-c", LISTENS],
            env={**os.environ, "TMPDIR": str(parent)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) <= 107
