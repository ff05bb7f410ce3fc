"""Shared by the tests of this floor: a study on disk, and loggers that say nothing new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage

from search.study.database import opened_storage


@pytest.fixture(scope="session", autouse=True)
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session")
def _empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with Optuna's tables, made once: making them takes most of a second."""
    file = tmp_path_factory.mktemp("database") / "study.db"
    with opened_storage(f"sqlite:///{file}"):
        pass
    return file


@pytest.fixture
def sqlite_storage(_empty_database: Path, tmp_path: Path) -> Iterator[RDBStorage]:
    """A new study's storage on disk, in `tmp_path / "study.db"`."""
    file = tmp_path / "study.db"
    shutil.copy(_empty_database, file)
    with opened_storage(f"sqlite:///{file}") as storage:
        yield storage
