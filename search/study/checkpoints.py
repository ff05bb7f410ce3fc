"""Checkpoints of trials: written whole, found again after any crash, dropped when nothing needs them.

A checkpoint is a folder `trial-007/epoch-0003` below the sweep's checkpoints, on any file system that
every worker reaches. Its `manifest.json` is written last and holds the size and digest of each file
and the trial's metric history, so a folder without a valid manifest is simply not a checkpoint.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.credentials import hide, hide_in
from search.errors import UserError
from search.study.records import Epoch, trial_key
from search.study.stored_files import StoredFiles

MANIFEST = "manifest.json"
OWNER = "sweep_id"  # a file beside the trials' folders that says whose they are
_EPOCH = re.compile(r"epoch-(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint of a trial.

    Example:
        >>> epoch = Epoch(1, {"val_acc": 0.75}, timestamp_ms=1_000, worker="host:1")
        >>> Checkpoint("trial-000/epoch-0001", (epoch,), files={}).history[-1].epoch
        1
    """

    path: str  # below the store's root
    history: tuple[Epoch, ...]  # every epoch up to this one
    files: dict[str, dict[str, Any]]


class CheckpointStore:
    """The checkpoints of a sweep.

    Args:
        uri: an absolute folder or a URI that pyarrow knows (`s3://...`), reachable from every worker.

    Example:
        >>> from pathlib import Path
        >>> weights = Path("epoch")
        >>> weights.mkdir()
        >>> _ = (weights / "model.ckpt").write_text("weights")
        >>> store = CheckpointStore(str(Path("kept").absolute()))
        >>> epoch = Epoch(1, {"val_acc": 0.75}, 1_000, "host:1", checkpoint_path(number=0, epoch=1))
        >>> store.save(0, (epoch,), weights)
        >>> newest, damaged = store.newest(0)
        >>> len(newest.history), damaged
        (1, [])
    """

    def __init__(self, uri: str) -> None:
        try:
            self._files = StoredFiles(uri)
        except (OSError, ValueError) as error:
            cause = hide_in(" ".join(str(error).split()))
            raise UserError(
                f"checkpoints {hide(uri)!r} cannot be reached ({cause}): give a folder or URI"
            ) from error

    def claim(self, sweep_id: str) -> None:
        """Note whose checkpoints these are: another study's must neither be resumed from nor cleared away.

        Raises:
            UserError: they are another study's, perhaps of a sweep of this name; or they do not answer.
        """
        try:
            if self.owner() is None:
                self._files.create_folder()
                self._files.write_whole(OWNER, sweep_id.encode())
        except OSError as error:
            raise self._unusable(error) from error
        if (owner := self.owner()) != sweep_id:
            raise UserError(
                f"checkpoints {self._files.root} are those of another study (id {owner}, this one's "
                f"{sweep_id}): choose another name or other `checkpoints`"
            )

    def bring(self, other: CheckpointStore) -> int:
        """Copy the checkpoints of another store here, where nobody's are; gives of how many trials.

        Raises:
            UserError: they cannot be read there, or written here.
        """
        try:
            trials = other._trials()
            for name in trials:
                self._files.bring_folder(name, other._files)
        except OSError as error:
            raise self._unusable(error) from error
        return len(trials)

    def owner(self) -> str | None:
        """The id of the study whose checkpoints these are; None if nobody has claimed them.

        Raises:
            UserError: they do not answer.
        """
        try:
            return self._files.read(OWNER).decode() if self._files.is_file(OWNER) else None
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UserError:
        cause = " ".join(str(error).split())
        return UserError(
            f"checkpoints {self._files.root} cannot be used ({cause}): make that writable, or choose "
            "other `checkpoints`"
        )

    def check_there(self) -> None:
        """Look for the note that `claim` has left: a file system that is not mounted looks empty.

        Raises:
            OSError: it is not there, or the checkpoints do not answer.
        """
        root = self._files.root
        if not self._files.is_file(OWNER):
            raise FileNotFoundError(errno.ENOENT, f"nothing is at {root}", f"{root}/{OWNER}")

    def save(self, number: int, history: tuple[Epoch, ...], folder: Path) -> None:
        """Store the files of `folder` as the checkpoint of the history's last epoch; keep the newest two.

        Raises:
            OSError: it cannot be written; nothing half-written stays, which would only fill the disk further.
        """
        target = history[-1].checkpoint
        assert target is not None, "the epoch says where its checkpoint lies"
        self._files.delete_folder(target)  # a half-written one of an earlier attempt
        try:
            self._write(target, history, folder)
        except OSError:
            with contextlib.suppress(OSError):
                self._files.delete_folder(target)
            raise
        for path in self._epoch_folders(number)[2:]:
            if path != target:  # it is not among the newest if those are damaged
                self._files.delete_folder(path)

    def newest(self, number: int) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint of a trial, and what is wrong with any newer one."""
        faults: list[str] = []
        for path in self._epoch_folders(number):
            try:
                return self._read(path), faults
            except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
                faults.append(f"checkpoint {path} is not whole ({' '.join(str(error).split())})")
        return None, faults

    def fetch(self, checkpoint: Checkpoint, to: Path) -> Path:
        """Copy a checkpoint's files into a local folder and return it."""
        for name in checkpoint.files:
            self._files.fetch(f"{checkpoint.path}/{name}", to / name)
        return to

    def retain(self, numbers: Collection[int]) -> None:
        """Delete the checkpoints of every trial but these."""
        kept = {trial_key(number) for number in numbers}
        for name in self._trials():
            if name not in kept:
                self._files.delete_folder(name)

    def discard(self, number: int) -> None:
        """Delete the checkpoints of one trial."""
        self._files.delete_folder(trial_key(number))

    def keep_newest(self, number: int) -> None:
        """Delete all but the newest checkpoint of a trial that has ended."""
        folders = self._epoch_folders(number)
        whole = [path for path in folders if self._files.is_file(f"{path}/{MANIFEST}")]
        for path in folders:
            if path not in whole[:1]:
                self._files.delete_folder(path)

    def size(self, number: int) -> int:
        """Bytes that the checkpoints of one trial take."""
        return self._files.size(trial_key(number))

    def make_mark(self, name: str) -> None:
        """Put an empty file beside the checkpoints, for other nodes to look for."""
        self._files.create_folder()
        self._files.write_whole(name, b"")

    def has_mark(self, name: str) -> bool:
        """Whether the file is there."""
        return self._files.is_file(name)

    def delete_mark(self, name: str) -> None:
        """Delete the file."""
        self._files.delete(name)

    def _write(self, target: str, history: tuple[Epoch, ...], folder: Path) -> None:
        self._files.create_folder(target)
        files = {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            if "/" in name:
                self._files.create_folder(f"{target}/{name.rsplit('/', 1)[0]}")
            files[name] = self._files.add(file, f"{target}/{name}")
        manifest = {"epochs": [epoch.to_json() for epoch in history], "files": files}
        self._files.write_whole(f"{target}/{MANIFEST}", json.dumps(manifest).encode())

    def _read(self, path: str) -> Checkpoint:
        manifest = json.loads(self._files.read(f"{path}/{MANIFEST}"))
        for name, expected in manifest["files"].items():
            if self._files.digest(f"{path}/{name}") != expected["blake2b"]:
                raise ValueError(f"{name} differs from what was written")
        history = tuple(Epoch.from_json(epoch) for epoch in manifest["epochs"])
        return Checkpoint(path, history, manifest["files"])

    def _trials(self) -> list[str]:
        """The folders of trials that have checkpoints, below the root."""
        return [name for name in self._files.names() if name.startswith("trial-")]

    def _epoch_folders(self, number: int) -> list[str]:
        """Folders of a trial's checkpoints, newest first, below the root."""
        names = self._files.names(trial_key(number))
        epochs = sorted((int(match[1]) for name in names if (match := _EPOCH.fullmatch(name))), reverse=True)
        return [checkpoint_path(number, epoch) for epoch in epochs]


def checkpoint_path(number: int, epoch: int) -> str:
    """Where the checkpoint of an epoch lies, below the store's root."""
    return f"{trial_key(number)}/epoch-{epoch:04d}"
