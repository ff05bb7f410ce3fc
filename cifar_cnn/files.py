"""Small promises about files: what can be written, whole or not at all, and names that can be shown."""

import os
import secrets
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path

_FEW = 10
"""Names that a message lists; of more it gives the number."""

_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")
"""Categories of characters that end a line, steer a terminal or cannot be encoded."""


def shown(name: str) -> str:
    """A file's name as text for one line of a message: bytes and characters that are none are escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        repr(letter)[1:-1] if unicodedata.category(letter) in _UNSHOWN else letter for letter in text
    )


def several(texts: Sequence[str]) -> str:
    """The first ten, and how many more there are."""
    more = f" and {len(texts) - _FEW} more" if len(texts) > _FEW else ""
    return ", ".join(texts[:_FEW]) + more


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


def write_atomically(path: Path, text: str, *, private: bool = False) -> None:
    """Writes a file that a reader, or a crash at any instant, finds whole or not at all.

    Args:
        path: of the file; its folder is there.
        text: that it is to hold, in UTF-8.
        private: whether nobody but this user may read it, from its first byte on.

    Raises:
        OSError: it cannot be written; an older file of this name stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    # Not `tempfile`, whose files nobody else may ever read: here the mode is the one that the umask gives.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:  # of any kind, a stop too: it is raised on
        temporary.unlink()
        raise
