"""Small promises about files: what can be written, and whole or not at all."""

import os
import tempfile
from pathlib import Path


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is created where that is possible.

    It tries: permission bits say nothing on a read-only mount, nor to root.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def write_atomically(path: Path, text: str) -> None:
    """Writes a file that a reader, or a crash at any instant, finds whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
