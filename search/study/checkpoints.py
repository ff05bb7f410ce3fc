"""Checkpoints of trials: written whole, found again after any crash, dropped when nothing needs them.

A checkpoint is a folder `trial-007/epoch-0003` below the sweep's checkpoints, on any file system that
every worker reaches. Its `manifest.json` is written last and holds the size and digest of each file
and the trial's metric history, so a folder without a valid manifest is simply not a checkpoint.
Nothing is fsynced: a killed process loses nothing by that, and after a power cut the digests tell.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from search.config.credentials import hide, hide_in
from search.errors import UserError
from search.study.records import Epoch, trial_key

MANIFEST = "manifest.json"
OWNER = "sweep_id"  # a file beside the trials' folders that says whose they are
_EPOCH = re.compile(r"epoch-(\d+)")
_CHUNK = 1 << 20


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
            self._fs, self._root = fs.FileSystem.from_uri(uri)
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
                self._fs.create_dir(self._root)
                self._write_whole(f"{self._root}/{OWNER}", sweep_id.encode())
        except OSError as error:
            raise self._unusable(error) from error
        if (owner := self.owner()) != sweep_id:
            raise UserError(
                f"checkpoints {self._root} are those of another study (id {owner}, this one's {sweep_id}): "
                "choose another name or other `checkpoints`"
            )

    def bring(self, other: CheckpointStore) -> int:
        """Copy the checkpoints of another store here, where nobody's are; gives of how many trials.

        Raises:
            UserError: they cannot be read there, or written here.
        """
        try:
            trials = [info for info in other._children(other._root) if info.base_name.startswith("trial-")]
            for info in trials:
                target = f"{self._root}/{info.base_name}"
                self._fs.create_dir(target)
                fs.copy_files(info.path, target, other._fs, self._fs)
        except OSError as error:
            raise self._unusable(error) from error
        return len(trials)

    def owner(self) -> str | None:
        """The id of the study whose checkpoints these are; None if nobody has claimed them.

        Raises:
            UserError: they do not answer.
        """
        file = f"{self._root}/{OWNER}"
        try:
            if not self._is_file(file):
                return None
            with self._fs.open_input_stream(file) as stream:
                return str(stream.read().decode())
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> UserError:
        cause = " ".join(str(error).split())
        return UserError(
            f"checkpoints {self._root} cannot be used ({cause}): make that writable, or choose "
            "other `checkpoints`"
        )

    def check_there(self) -> None:
        """Look for the note that `claim` has left: a file system that is not mounted looks empty.

        Raises:
            OSError: it is not there, or the checkpoints do not answer.
        """
        if not self._is_file(f"{self._root}/{OWNER}"):
            raise FileNotFoundError(errno.ENOENT, f"nothing is at {self._root}", f"{self._root}/{OWNER}")

    def save(self, number: int, history: tuple[Epoch, ...], folder: Path) -> None:
        """Store the files of `folder` as the checkpoint of the history's last epoch; keep the newest two.

        Raises:
            OSError: it cannot be written; nothing half-written stays, which would only fill the disk further.
        """
        target = f"{self._root}/{history[-1].checkpoint}"
        self._delete(target)  # a half-written one of an earlier attempt
        try:
            self._write(target, history, folder)
        except OSError:
            with contextlib.suppress(OSError):
                self._delete(target)
            raise
        for path in self._epoch_folders(number)[2:]:
            if path != history[-1].checkpoint:  # it is not among the newest if those are damaged
                self._delete(f"{self._root}/{path}")

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
            target = to / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with (
                self._fs.open_input_stream(f"{self._root}/{checkpoint.path}/{name}") as source,
                target.open("wb") as out,
            ):
                shutil.copyfileobj(source, out, _CHUNK)
        return to

    def retain(self, numbers: Collection[int]) -> None:
        """Delete the checkpoints of every trial but these."""
        kept = {trial_key(number) for number in numbers}
        for info in self._children(self._root):
            if info.base_name.startswith("trial-") and info.base_name not in kept:
                self._delete(info.path)

    def discard(self, number: int) -> None:
        """Delete the checkpoints of one trial."""
        self._delete(f"{self._root}/{trial_key(number)}")

    def keep_newest(self, number: int) -> None:
        """Delete all but the newest checkpoint of a trial that has ended."""
        folders = self._epoch_folders(number)
        whole = [path for path in folders if self._is_file(f"{self._root}/{path}/{MANIFEST}")]
        for path in folders:
            if path not in whole[:1]:
                self._delete(f"{self._root}/{path}")

    def size(self, number: int) -> int:
        """Bytes that the checkpoints of one trial take."""
        below = fs.FileSelector(f"{self._root}/{trial_key(number)}", allow_not_found=True, recursive=True)
        return sum(info.size or 0 for info in self._fs.get_file_info(below))

    def make_mark(self, name: str) -> None:
        """Put an empty file beside the checkpoints, for other nodes to look for."""
        self._fs.create_dir(self._root)
        self._fs.open_output_stream(f"{self._root}/{name}").close()

    def has_mark(self, name: str) -> bool:
        """Whether the file is there."""
        return self._is_file(f"{self._root}/{name}")

    def delete_mark(self, name: str) -> None:
        """Delete the file."""
        self._fs.delete_file(f"{self._root}/{name}")

    def _write(self, target: str, history: tuple[Epoch, ...], folder: Path) -> None:
        self._fs.create_dir(target)
        files = {}
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            if "/" in name:
                self._fs.create_dir(f"{target}/{name.rsplit('/', 1)[0]}")
            files[name] = self._copy(self._local(file), f"{target}/{name}")
        manifest = {"epochs": [epoch.to_json() for epoch in history], "files": files}
        self._write_whole(f"{target}/{MANIFEST}", json.dumps(manifest).encode())

    def _write_whole(self, file: str, content: bytes) -> None:
        with self._fs.open_output_stream(f"{file}.part") as stream:
            stream.write(content)
        self._fs.move(f"{file}.part", file)

    def _read(self, path: str) -> Checkpoint:
        with self._fs.open_input_stream(f"{self._root}/{path}/{MANIFEST}") as stream:
            manifest = json.loads(stream.read())
        for name, expected in manifest["files"].items():
            if self._digest(f"{self._root}/{path}/{name}") != expected["blake2b"]:
                raise ValueError(f"{name} differs from what was written")
        history = tuple(Epoch.from_json(epoch) for epoch in manifest["epochs"])
        return Checkpoint(path, history, manifest["files"])

    def _epoch_folders(self, number: int) -> list[str]:
        """Folders of a trial's checkpoints, newest first, below the root."""
        key = trial_key(number)
        names = [info.base_name for info in self._children(f"{self._root}/{key}")]
        epochs = sorted((int(match[1]) for name in names if (match := _EPOCH.fullmatch(name))), reverse=True)
        return [checkpoint_path(number, epoch) for epoch in epochs]

    def _children(self, path: str) -> list[fs.FileInfo]:
        return list(self._fs.get_file_info(fs.FileSelector(path, allow_not_found=True)))

    def _is_file(self, path: str) -> bool:
        return bool(self._fs.get_file_info(path).type is fs.FileType.File)

    def _delete(self, path: str) -> None:
        if self._fs.get_file_info(path).type is fs.FileType.Directory:
            self._fs.delete_dir(path)

    def _copy(self, chunks: Iterator[bytes], target: str) -> dict[str, Any]:
        """Write a file; its digest is of what was written, where `fs.copy_files` would have it read again."""
        digest, size = _new_digest(), 0
        with self._fs.open_output_stream(target) as stream:
            for chunk in chunks:
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return {"bytes": size, "blake2b": digest.hexdigest()}

    def _digest(self, path: str) -> str:
        with self._fs.open_input_stream(path, buffer_size=_CHUNK) as stream:
            return hashlib.file_digest(stream, _new_digest).hexdigest()

    @staticmethod
    def _local(file: Path) -> Iterator[bytes]:
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def checkpoint_path(number: int, epoch: int) -> str:
    """Where the checkpoint of an epoch lies, below the store's root."""
    return f"{trial_key(number)}/epoch-{epoch:04d}"
