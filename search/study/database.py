"""Opening the database that holds the study, and saying clearly why it cannot be opened."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import StorageInternalError

from search.config.credentials import hide, hide_in
from search.config.places import sqlite_file
from search.errors import SweepFailed, UserError
from search.study.optuna_private import VERSION_INFO
from search.study.writes import SweepStorage

STORAGE_ERRORS = (StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
"""What a storage raises that does not answer, or cannot write, any more."""

STORAGE_WAIT_S = 300.0  # a database server restarts, or a full disk is cleared, in less

_logger = logging.getLogger(__name__)
_SCHEMES = ("sqlite", "postgresql+psycopg")
_CREATION_KEY = 0x73776565705F7631  # of the advisory lock: "sweep_v1"
_SQLITE_WAIT_S = 60  # how long a writer waits for another (a dashboard, a backup) to let go of the file


class NoStudies(UserError):
    """A database that is not there, or that no study was ever made in."""


@contextlib.contextmanager
def opened_storage(
    url: str, *, create: bool = True, remedy: str = "check `storage`, the server and its rights"
) -> Iterator[SweepStorage]:
    """The Optuna storage at a SQLAlchemy URL, closed again at the end.

    Args:
        url: of the database.
        create: make the file and the tables if they are not there; else nothing is made.
        remedy: what to do if it does not answer; who was not given `storage` gives another.

    Raises:
        NoStudies: they are not there, and are not to be made.
        UserError: an unknown scheme, a folder that cannot be written, a database that does not answer.
    """
    storage = _open(url, create, remedy)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _open(url: str, create: bool, remedy: str) -> SweepStorage:
    file = sqlite_file(url)
    if not create and file is not None and not file.exists():
        raise NoStudies(f"{file} is not there")
    parsed = check_url(url)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with _file_creation_lock(file, create=create) if file else _server_creation_lock(parsed):
            if not create:
                _check_tables(url, _engine_kwargs(parsed))
            storage = SweepStorage(url, _engine_kwargs(parsed), create=create)
    except (sqlalchemy.exc.SQLAlchemyError, RuntimeError, OSError) as error:
        raise UserError(
            f"storage {printable(url)} does not answer ({database_cause(error)}): {remedy}"
        ) from error
    if create:
        tune_sqlite(storage.engine)  # which a reader does not: it would change the file
    return storage


def _check_tables(url: str, engine_kwargs: dict[str, Any]) -> None:
    engine = sqlalchemy.create_engine(url, **engine_kwargs)
    try:
        if not sqlalchemy.inspect(engine).has_table(VERSION_INFO.name):  # without it Optuna makes tables
            raise NoStudies(f"{printable(url)} has no studies")
    finally:
        engine.dispose()


def read_one_moment(engine: sqlalchemy.Engine) -> None:
    """Let each session of a reader see the study at one moment, though a driver writes it meanwhile.

    Optuna reads trials in several statements. PostgreSQL gives each a moment of its own unless it is asked
    not to, and so does Python's sqlite3, which begins no transaction for a SELECT.
    """
    if engine.dialect.name == "sqlite":
        sqlalchemy.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    else:
        engine.update_execution_options(isolation_level="REPEATABLE READ")


@contextlib.contextmanager
def _file_creation_lock(file: Path, *, create: bool) -> Iterator[None]:
    """Two processes that open a fresh SQLite file at once would both make its tables, and one fail.

    A reader waits for one that is making them; it makes no lock file, for that is there before they are.
    """
    if not os.access(file.parent, os.W_OK):
        yield  # what cannot be written is not created either
        return
    lock = file.with_name(f".{file.name}.lock")
    with FileLock(lock) if create or lock.exists() else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _server_creation_lock(url: sqlalchemy.URL) -> Iterator[None]:
    """The same on a database server, whose clients are on several hosts: readers take the lock too.

    It belongs to a transaction, so that it ends with a client that is killed, and behind a pooler of
    connections too.
    """
    engine = sqlalchemy.create_engine(url, **_engine_kwargs(url))
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_CREATION_KEY)))
            yield
    finally:
        engine.dispose()


def wait_for_storage(url: str, cause: Exception) -> None:
    """Wait until a storage that went away in the middle of a sweep answers again.

    Raises:
        SweepFailed: it does not for `STORAGE_WAIT_S`.
    """
    reason = database_cause(cause)
    _logger.warning("storage %s went away (%s); waiting for it, nothing is lost", printable(url), reason)
    give_up = time.monotonic() + STORAGE_WAIT_S
    while time.monotonic() < give_up:
        time.sleep(1)
        try:
            _try_writing(url)
        except (UserError, sqlalchemy.exc.SQLAlchemyError):
            continue
        _logger.warning("storage %s is back; going on", printable(url))
        return
    raise SweepFailed(f"storage {printable(url)} did not come back in {STORAGE_WAIT_S:.0f} s ({reason})")


def _try_writing(url: str) -> None:
    """A full disk can be read: only a write tells that a storage is back."""
    with opened_storage(url, create=False) as storage, storage.engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE IF NOT EXISTS sweep_write_probe (x INTEGER)"))
        connection.execute(sqlalchemy.text("DROP TABLE IF EXISTS sweep_write_probe"))


def check_url(url: str) -> sqlalchemy.URL:
    """Parse a storage URL, refusing what no sweep can live in, without touching it.

    Raises:
        UserError: not a URL, an unknown scheme, or a SQLite file in a folder that is not there.
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise UserError(
            f"storage {_without_secret(url)!r} is no URL: write sqlite:///study.db or {_SCHEMES[1]}://..."
        ) from error
    if parsed.drivername not in _SCHEMES:
        raise UserError(f"storage scheme {parsed.drivername!r} is not known: use {' or '.join(_SCHEMES)}")
    if "@" in (parsed.host or ""):
        raise UserError(f"storage {hide(url)}: write an @ in a password as %40")
    if parsed.drivername == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise UserError(f"storage {hide(url)!r} lives in memory and would not survive: name a file")
        file = sqlite_file(url)
        if file is not None and not file.parent.is_dir():
            raise UserError(f"storage folder {file.parent} is not there: make it first")
    return parsed


def database_cause(error: BaseException) -> str:
    """What the database itself said, on one line, of an error that Optuna and SQLAlchemy have wrapped."""
    inner: BaseException | None = error
    while inner is not None:
        if (original := getattr(inner, "orig", None)) is not None:
            return hide_in(" ".join(str(original).split()))
        inner = inner.__cause__
    return hide_in(" ".join(str(error).split()))


def printable(url: str) -> str:
    """The URL without its passwords."""
    return hide(url)


def _without_secret(text: str) -> str:
    """What was given for a URL and is none: whatever it has before an `@` may be a password."""
    return hide(text) if "://" in text else text[text.rfind("@") + 1 :]


def _engine_kwargs(url: sqlalchemy.URL) -> dict[str, Any]:
    if url.drivername == "sqlite":
        return {"connect_args": {"timeout": _SQLITE_WAIT_S}}
    # A pooled connection that died with a restarted server is noticed before it is used.
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}


def tune_sqlite(engine: sqlalchemy.Engine) -> None:
    """Write-ahead logging: one fsync at a checkpoint instead of several a commit.

    A killed process loses nothing by it; a power cut can lose the last commits, never the file, and
    the checkpoints carry those epochs.
    """
    if engine.dialect.name != "sqlite":
        return

    @sqlalchemy.event.listens_for(engine, "connect")
    def _set(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    engine.dispose()  # connections opened before the listener was there
