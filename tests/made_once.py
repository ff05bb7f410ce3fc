"""What libraries make anew for each database and takes them long, made once for all tests of a process."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from typing import Any


def make_once() -> None:
    """To be called before each test: what no test has imported yet costs nothing."""
    mlflow: Any = sys.modules.get("mlflow.store.db.utils")
    if mlflow is not None and not isinstance(mlflow._initialize_tables, CopiedTables):
        mlflow._initialize_tables = CopiedTables(mlflow._initialize_tables)
    optuna: Any = sys.modules.get("optuna.storages._rdb.storage")
    if optuna is not None and not hasattr(optuna._VersionManager, "made_once"):
        optuna._VersionManager.made_once = True
        optuna._VersionManager._create_alembic_script = _made_once(
            optuna._VersionManager._create_alembic_script
        )


class CopiedTables:
    """Makes MLflow's tables in a database, a second's work; in SQLite all but the first are copies."""

    def __init__(self, make: Callable[[Any], None]) -> None:
        self._make = make
        self._first: bytes | None = None

    def __call__(self, engine: Any) -> None:
        if engine.dialect.name != "sqlite":
            self._make(engine)
            return
        if self._first is None:
            self._make(engine)
        connection = engine.raw_connection()
        try:
            if self._first is None:
                self._first = connection.driver_connection.serialize()
                return
            first = sqlite3.connect(":memory:")
            first.deserialize(self._first)
            first.backup(connection.driver_connection)
            first.close()
        finally:
            connection.close()


def _made_once(make: Callable[[Any], object]) -> Callable[[Any], object]:
    """Optuna's list of its databases' versions, which it reads from its own files three times a database."""
    made: list[object] = []

    def script(manager: Any) -> object:
        if not made:
            made.append(make(manager))
        return made[0]

    return script
