"""A study's storage whose process can be killed before any of its writes."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from search.study.writes import SweepStorage

_WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """The process is gone: not an `Exception`, for nothing can handle it."""


class KillableStorage(SweepStorage):
    """The real one, on SQLite, in a folder that goes with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="killable-")
        file = Path(self._folder.name, "study.db")
        file.write_bytes(_empty_database())
        super().__init__(f"sqlite:///{file}", {})
        sa.event.listen(self.engine, "connect", _do_not_sync)
        self.engine.dispose()  # the connection that was opened before
        self.writes = 0
        self._last_write: int | None = None
        sa.event.listen(self.engine, "before_cursor_execute", self._count)

    def kill_after(self, writes: int) -> None:
        """Let this many more writes happen, and then none."""
        self._last_write = self.writes + writes

    def revive(self) -> None:
        """Let a new process write again."""
        self._last_write = None
        self.remove_session()

    def close(self) -> None:
        """Delete the study."""
        self.remove_session()
        self.engine.dispose()
        self._folder.cleanup()

    def _count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        """Also refuses what a `finally` tries after the end."""
        if not statement.lstrip().startswith(_WRITES):
            return
        if self._last_write is not None and self.writes >= self._last_write:
            raise Killed
        self.writes += 1


def _do_not_sync(connection: Any, _record: object) -> None:
    """Nobody cuts the power of a test."""
    connection.execute("PRAGMA synchronous=OFF")


@functools.cache
def _empty_database() -> bytes:
    """A database with Optuna's tables: making them takes most of a second."""
    with tempfile.TemporaryDirectory(prefix="killable-") as folder:
        file = Path(folder, "study.db")
        SweepStorage(f"sqlite:///{file}", {}).engine.dispose()
        return file.read_bytes()
