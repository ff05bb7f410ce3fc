"""Passwords and tokens in URLs: shown as `***`, and kept in a file of mode 0600 in the sweep's folder.

A URL may carry them before its host (`scheme://user:password@host`), as a token alone
(`https://token@host`), or in its query (`?sslpassword=...`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cifar_cnn.files import write_atomically
from search.errors import UserError

HIDDEN = "***"
CREDENTIALS_FILE = "credentials.json"

# After a web address's host a colon begins its port; of a database's URL SQLAlchemy takes what stands there
# for a password if an `@` follows. A password may hold what a URL would write in percents, as people paste
# it: it ends at the last `@` before the path.
_USERINFO = (
    r"(?P<before>(?<![\w+.\-])"
    r"(?:https?://[^{not_in}:/?#@]*:(?!\d{{1,5}}[/?#])|(?!https?:)[\w+.\-]+://[^{not_in}:/?#@]*:)"
    r")(?!\d{{1,5}}(?:\s|$))[^{not_in}@]*(?:@[^{not_in}@/?#]*)*@"
)
_IN_TEXT = re.compile(_USERINFO.format(not_in=r"\s"), re.IGNORECASE)
_IN_URL = re.compile("^" + _USERINFO.format(not_in=""), re.IGNORECASE)
_TOKEN = re.compile(r"(?P<before>https?://)[^\s:/?#@]+@", re.IGNORECASE)
_NAMED = (
    r"(?P<before>(?<![\w\-])(?:[\w\-]*"
    r"(?:password|passwd|pwd|passphrase|secret|token|credential|signature"
    r"|(?:api|access|account|secret|private)[_\-]?key)"
    r"|pass|sig|sas|auth|authorization|bearer|jwt)=)"
)
_NAMED_IN_TEXT = re.compile(_NAMED + r"[^\s&;'\"]+", re.IGNORECASE)
_NAMED_IN_URL = re.compile(r"(?<=[?&;#])" + _NAMED + r"[^&]+", re.IGNORECASE)
_KEPT = rf"\g<before>{HIDDEN}"


def hide(url: str) -> str:
    """A URL as it may be shown: `***` where it has a password or token.

    >>> hide("postgresql+psycopg://me:secret@db/studies")
    'postgresql+psycopg://me:***@db/studies'
    """
    return hide_in(_NAMED_IN_URL.sub(_KEPT, _IN_URL.sub(f"{_KEPT}@", url)))


def hide_in(text: str) -> str:
    """A text in which URLs may stand, such as a library's error, as it may be shown."""
    text = _IN_TEXT.sub(f"{_KEPT}@", text)
    text = _TOKEN.sub(f"{_KEPT}@", text)
    return _NAMED_IN_TEXT.sub(_KEPT, text)


class HidingRecord(logging.LogRecord):
    """A line of a log, without passwords, also in the text of the error that goes with it.

    Example:
        >>> url = "postgresql://me:secret@host/db"
        >>> HidingRecord("x", logging.INFO, "x.py", 1, url, (), None).getMessage()
        'postgresql://me:***@host/db'
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.exc_info:
            self.exc_text = hide_in(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:  # noqa: N802
        """As the base class's."""
        return hide_in(super().getMessage())


def without_userinfo(url: str) -> str:
    """An http address as a browser is given it: it asks for the name and password itself."""
    return re.sub(r"^(https?://)[^/?#]*@", r"\1", url, flags=re.IGNORECASE)


def keep(folder: Path, urls: Mapping[str, str]) -> None:
    """Write down whole the URLs that carry a secret, for nobody but this user to read; none: no file."""
    file = folder / CREDENTIALS_FILE
    if not urls:
        file.unlink(missing_ok=True)
        return
    write_atomically(file, json.dumps(dict(urls), indent=2) + "\n", private=True)


def recall(folder: Path, field: str, shown: str, old_name: str | None = None) -> str:
    """The whole URL that is shown with a `***` in it.

    Args:
        folder: of the sweep.
        field: of the configuration.
        shown: as `hide` shows it.
        old_name: of the field, in files of earlier versions.

    Raises:
        UserError: it is not there, or not for this user to read.
    """
    file = folder / CREDENTIALS_FILE
    try:
        stored = json.loads(file.read_text())
        kept = stored.get(field, stored.get(old_name))
    except FileNotFoundError:
        kept = None
    except (OSError, AttributeError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "damaged"
        raise UserError(
            f"{file}, which holds the password of `{field}={shown}`, cannot be read ({cause}): ask its "
            f"owner, or resume with the whole `{field}`"
        ) from error
    if kept is None or hide(kept) != shown:
        raise UserError(
            f"the password of `{field}={shown}` is not in {file}: copy that file too, or resume with the "
            f"whole `{field}`"
        )
    return str(kept)
