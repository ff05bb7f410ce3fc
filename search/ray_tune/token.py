"""The token of a Ray of our own, by which its processes know each other: new each time, in its own folder.

Ray itself would write one below HOME, for all Rays to come.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

_MODE, _PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"
_USERS_OWN = ("RAY_AUTH_TOKEN", _PATH)


@contextlib.contextmanager
def own_token(folder: Path) -> Iterator[None]:
    """A token for a Ray that is started in here; one that the environment names is used as it is.

    That the mode is `token` says nothing: a Ray sets it as it starts, for the processes below it too.

    Args:
        folder: which only this user can read.
    """
    mode = os.environ.get(_MODE)
    if any(name in os.environ for name in _USERS_OWN) or (mode or "token").lower() != "token":
        yield
        return
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(secrets.token_hex(32))
    os.environ[_PATH] = str(file)
    _read_again()
    try:
        yield
    finally:
        del os.environ[_PATH]
        if mode is None:
            os.environ.pop(_MODE, None)
        _read_again()


def _read_again() -> None:
    """Let Ray forget the token and the mode that it has read from the environment before."""
    AuthenticationTokenLoader.instance().reset_cache()
    Config.initialize("")
