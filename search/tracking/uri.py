"""Tracking URIs: places made absolute, SQLite files created once, passwords kept off the screen."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from filelock import FileLock

from search.config.credentials import hide
from search.config.places import absolute_place, sqlite_file

_DEFAULT = "MLFLOW_TRACKING_URI"


def absolute_uri(uri: str) -> str:
    """A URI with its local path made absolute, so that every process means the same file."""
    return absolute_place(uri)


def printable_uri(uri: str) -> str:
    """The URI without its passwords."""
    return hide(uri)


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
