"""A folder on any file system that every worker reaches: its files written whole, digested, fetched, deleted.

Nothing is fsynced: a killed process loses nothing by that, and after a power cut the digests tell.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import fs

_CHUNK = 1 << 20


class StoredFiles:
    """Files by their paths below the folder; each method raises OSError if the file system does not answer.

    Args:
        uri: the folder, absolute, or a URI that pyarrow knows (`s3://...`).

    Raises:
        OSError: there is no such place.
        ValueError: it is no place.

    Example:
        >>> files = StoredFiles(str(Path("stored").absolute()))
        >>> files.create_folder("trial-000")
        >>> files.write_whole("trial-000/manifest.json", b"{}")
        >>> files.names("trial-000"), files.names("trial-001")
        (['manifest.json'], [])
    """

    def __init__(self, uri: str) -> None:
        self._fs, self.root = fs.FileSystem.from_uri(uri)

    def names(self, folder: str = "") -> list[str]:
        """What lies in a folder; nothing if there is none."""
        below = fs.FileSelector(self._at(folder), allow_not_found=True)
        return [info.base_name for info in self._fs.get_file_info(below)]

    def is_file(self, path: str) -> bool:
        """Whether there is such a file."""
        return bool(self._fs.get_file_info(self._at(path)).type is fs.FileType.File)

    def size(self, folder: str) -> int:
        """Bytes that all files below a folder take."""
        below = fs.FileSelector(self._at(folder), allow_not_found=True, recursive=True)
        return sum(info.size or 0 for info in self._fs.get_file_info(below))

    def create_folder(self, path: str = "") -> None:
        """Make a folder, and those above it."""
        self._fs.create_dir(self._at(path))

    def delete_folder(self, path: str) -> None:
        """Delete a folder, if it is there."""
        if self._fs.get_file_info(self._at(path)).type is fs.FileType.Directory:
            self._fs.delete_dir(self._at(path))

    def delete(self, path: str) -> None:
        """Delete a file."""
        self._fs.delete_file(self._at(path))

    def read(self, path: str) -> bytes:
        """A file's content."""
        with self._fs.open_input_stream(self._at(path)) as stream:
            return bytes(stream.read())

    def write_whole(self, path: str, content: bytes) -> None:
        """Write a file that a reader finds whole or not at all."""
        with self._fs.open_output_stream(self._at(f"{path}.part")) as stream:
            stream.write(content)
        self._fs.move(self._at(f"{path}.part"), self._at(path))

    def add(self, file: Path, path: str) -> dict[str, Any]:
        """Copy a local file here; its size and digest.

        The digest is of what was written, where `fs.copy_files` would have it read again.
        """
        digest, size = _new_digest(), 0
        with self._fs.open_output_stream(self._at(path)) as stream:
            for chunk in _chunks(file):
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        return {"bytes": size, "blake2b": digest.hexdigest()}

    def digest(self, path: str) -> str:
        """A file's digest now."""
        with self._fs.open_input_stream(self._at(path), buffer_size=_CHUNK) as stream:
            return hashlib.file_digest(stream, _new_digest).hexdigest()

    def fetch(self, path: str, to: Path) -> None:
        """Copy a file to a local one, whose folder is made."""
        to.parent.mkdir(parents=True, exist_ok=True)
        with self._fs.open_input_stream(self._at(path)) as source, to.open("wb") as out:
            shutil.copyfileobj(source, out, _CHUNK)

    def bring_folder(self, name: str, other: StoredFiles) -> None:
        """Copy a folder of the same name from elsewhere."""
        self.create_folder(name)
        fs.copy_files(other._at(name), self._at(name), other._fs, self._fs)

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}" if path else str(self.root)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            yield chunk


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)
