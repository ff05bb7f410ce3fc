"""Tracking URIs: SQLite files made absolute and created once, passwords kept off the screen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from sqlalchemy import make_url

_DEFAULT = "MLFLOW_TRACKING_URI"


def absolute_uri(uri: str) -> str:
    """A SQLite URI with its path made absolute, so that every process means the same file."""
    file = sqlite_file(uri)
    return f"sqlite:///{file}" if file else uri


def sqlite_file(uri: str) -> Path | None:
    """The absolute path of a SQLite store, None for any other."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)).absolute() if uri.startswith(prefix) else None


def printable_uri(uri: str) -> str:
    """The URI without its password."""
    return make_url(uri).render_as_string(hide_password=True) if "@" in uri and "://" in uri else uri


@contextlib.contextmanager
def default_store(uri: str) -> Iterator[None]:
    """Make a store MLflow's default, for those of its functions that look nowhere else."""
    before = os.environ.get(_DEFAULT)
    os.environ[_DEFAULT] = absolute_uri(uri)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_DEFAULT]
        else:
            os.environ[_DEFAULT] = before


@contextlib.contextmanager
def creation_lock(uri: str) -> Iterator[None]:
    """Hold others off while a SQLite store may be created; a server sees to that itself."""
    file = sqlite_file(uri)
    if file is None:
        yield
        return
    with FileLock(file.with_name(file.name + ".lock")):
        yield
