"""Temporary folders that go with their process, however it ends.

Who holds such a folder holds a lock on a file in it, which the kernel lets go of when the process dies.
Whoever makes another beside it first deletes those that nobody holds any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import multiprocessing.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_LOCK = ".held"

SCRATCH = "sweep-trial-"  # how the folders of attempts begin, in the temporary folder of each node
SOCKETS = "pymp-"  # how those of `multiprocessing` do
# A socket's path has 107 bytes at most (sun_path in unix(7)), of which its own part is this.
_LONGEST_PARENT = 107 - len("/pymp-12345678/listener-12345678")


@contextlib.contextmanager
def held_folder(
    family: str,
    name: str = "",
    parent: Path | None = None,
    before_deleting: Callable[[Path], None] = lambda _dead: None,
) -> Iterator[Path]:
    """A new folder called `family`, `name` and some letters, deleted at the end with all that is in it.

    Args:
        family: what such folders have in common; dead ones of the family are deleted first.
        name: of this one.
        parent: where; the machine's temporary folder by default.
        before_deleting: called with each dead folder first.
    """
    parent = parent or Path(tempfile.gettempdir())
    sweep_up(family, parent, before_deleting)
    folder = Path(tempfile.mkdtemp(prefix=f"{family}{name}", dir=parent))
    with _hold(folder):
        try:
            yield folder
        finally:
            delete(folder)


@functools.cache
def hold_sockets() -> IO[str]:
    """Hold the folder in which `multiprocessing` has its sockets, in this process and its children.

    Each child would make a folder of its own otherwise, and leave it for good when it is killed. A worker of
    a torch loader is such a child, for it hands tensors on over a socket. Where the temporary folder's path
    is too long for a socket's, which would leave a loader waiting for ever, it is made in `sockets_parent`.
    """
    parent = sockets_parent()
    sweep_up(SOCKETS, parent)
    before, tempfile.tempdir = tempfile.tempdir, str(parent)
    try:
        folder = Path(multiprocessing.util.get_temp_dir())  # made now, it is the children's too
    finally:
        tempfile.tempdir = before
    return _hold(folder)


def sockets_parent() -> Path:
    """Where folders of sockets are made: in the temporary folder or, where its path is too long, in /tmp."""
    parent = tempfile.gettempdir()
    return Path(parent if len(os.fsencode(parent)) <= _LONGEST_PARENT else "/tmp")


def _hold(folder: Path) -> IO[str]:
    """Hold a folder for as long as the file is open."""
    lock = (folder / f"{_LOCK}.new").open("w")
    # On a file system without locks nobody else deletes the folder, for the file does not get its name.
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
    return lock


def sweep_up(
    family: str, parent: Path | None = None, before_deleting: Callable[[Path], None] = lambda _dead: None
) -> None:
    """Delete this user's folders of a family whose processes are dead."""
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{family}*"):
        # Another may be deleting it too; one that is not ours, or holds no lock file, is left alone.
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                before_deleting(folder)
                delete(folder)


def delete(folder: Path) -> None:
    """Delete a held folder, the lock last: if that is cut short, the next one finds it."""
    with contextlib.suppress(OSError):  # what cannot be deleted now is the next one's too
        for path in folder.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if [path.name for path in folder.iterdir()] in ([], [_LOCK]):
            shutil.rmtree(folder, ignore_errors=True)
