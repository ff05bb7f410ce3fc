"""Optuna's storage with cheap writes: one statement each, and as many as belong together in one transaction.

Optuna reads a trial before each write to it, to refuse what another process may have made impossible. A
sweep's driver is the only writer and has its study in memory (`mirror.py`), which refuses the same.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql, sqlite

from search.study.optuna_private import (
    INTERMEDIATE_VALUES,
    PARAMS,
    STUDIES,
    SYSTEM_ATTRS,
    TRIALS,
    USER_ATTRS,
    VALUES,
    stored_intermediate_value,
    stored_value,
)


class NumberTaken(Exception):
    """Another process has added a trial to the study: take it in first, then number one's own."""


class _Session(orm.Session):
    """A session of which several methods of Optuna's storage can make one transaction."""

    joined = refused = False
    guarded: int | None = None  # a trial that may not have ended before the first write

    def commit(self) -> None:
        """Within a joined transaction, only send what there is to the database."""
        if self.joined:
            self.flush()
        else:
            super().commit()

    def rollback(self) -> None:
        """Optuna passes over some refused writes; a joined transaction must not commit what is left."""
        self.refused = self.refused or self.joined
        super().rollback()

    def close(self) -> None:
        """Within a joined transaction, continue."""
        if not self.joined:
            super().close()


class SweepStorage(RDBStorage):
    """The storage of the one process that may write to its studies; without `create` its tables are there.

    Example:
        >>> from search.study.database import opened_storage
        >>> with opened_storage("sqlite:///writes.db") as storage:
        ...     print(type(storage).__name__, storage.get_all_studies())
        SweepStorage []
    """

    def __init__(self, url: str, engine_kwargs: dict[str, Any], *, create: bool = True) -> None:
        super().__init__(url, engine_kwargs=engine_kwargs, skip_table_creation=not create)
        self.scoped_session = orm.scoped_session(orm.sessionmaker(bind=self.engine, class_=_Session))
        # Made once: SQLAlchemy takes longer to make a statement than SQLite to carry it out.
        dialect = self.engine.dialect.name
        self._write_param = _upsert(dialect, PARAMS, "trial_id", "param_name")
        self._write_value = _upsert(dialect, VALUES, "trial_id", "objective")
        self._write_intermediate_value = _upsert(dialect, INTERMEDIATE_VALUES, "trial_id", "step")
        self._write_user_attr = _upsert(dialect, USER_ATTRS, "trial_id", "key")
        self._write_system_attr = _upsert(dialect, SYSTEM_ATTRS, "trial_id", "key")

    @contextlib.contextmanager
    def joined(self, unended: int | None = None) -> Iterator[orm.Session]:
        """One transaction for all that this thread writes in here: all of it or, at an error, nothing.

        Args:
            unended: id of the trial that it changes, and that nobody else may have ended.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: it cannot be committed.
            StorageInternalError: one of the writes was refused.
            UpdateFinishedTrialError: `unended` has ended.
        """
        session = self.scoped_session()
        assert isinstance(session, _Session)
        session.joined, session.refused, session.guarded = True, False, unended
        try:
            yield session
            session.joined = False
            if session.refused:
                raise StorageInternalError("a write to the study was refused; see the storage's own log")
            session.commit()
        except BaseException:  # a lost lease among them: nothing is committed, and it is raised on
            session.joined = False
            session.rollback()
            raise
        finally:
            session.close()

    def newer_trials(self, study_id: int, than: int) -> list[int]:
        """Ids of the study's trials beyond one, in the order of their numbers."""
        newer = sa.select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id, TRIALS.c.trial_id > than)
        with self._session() as session:
            return list(session.execute(newer.order_by(TRIALS.c.trial_id)).scalars())

    def insert_trial(self, study_id: int, trial: FrozenTrial, last_known: int) -> int:
        """Write a new trial, WAITING for a worker, with all that it has but values.

        Args:
            study_id: its study.
            trial: its number is the next of its study, if `last_known` is the last trial there is.
            last_known: id of the trial before it; 0 if it is the first.

        Returns:
            The trial's id in the database.

        Raises:
            NumberTaken: there are trials beyond the last known one.
            StorageInternalError: the study is gone.
        """
        assert not trial.state.is_finished(), "a new trial has not ended"
        row = {"number": trial.number, "study_id": study_id, "state": TrialState.WAITING}
        with self._session() as session:
            # The lock that every Optuna takes to number a trial: a row's in PostgreSQL, SQLite's only one.
            lock = sa.update(STUDIES).where(STUDIES.c.study_id == study_id)
            if session.execute(lock.values(study_name=STUDIES.c.study_name)).rowcount != 1:  # type: ignore[attr-defined]
                raise StorageInternalError("somebody has deleted the study")
            if self.newer_trials(study_id, last_known):
                raise NumberTaken
            insert = sa.insert(TRIALS).values(row).returning(TRIALS.c.trial_id)
            trial_id: int = session.execute(insert).scalar_one()
            params = [
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": trial.distributions[name].to_internal_repr(value),
                    "distribution_json": distribution_to_json(trial.distributions[name]),
                }
                for name, value in trial.params.items()
            ]
            for table, rows in (
                (PARAMS, params),
                (USER_ATTRS, _attrs(trial_id, trial.user_attrs)),
                (SYSTEM_ATTRS, _attrs(trial_id, trial.system_attrs)),
            ):
                if rows:
                    session.execute(sa.insert(table), rows)
        return trial_id

    def write_state(self, trial_id: int, trial: FrozenTrial) -> None:
        """Write a trial's state, times and value, as they are in memory.

        Raises:
            UpdateFinishedTrialError: it has ended.
        """
        changes = {
            "state": trial.state,
            "datetime_start": _utc(trial.datetime_start),
            "datetime_complete": _utc(trial.datetime_complete),
        }
        unended = TRIALS.c.state.in_([TrialState.RUNNING, TrialState.WAITING])
        update = sa.update(TRIALS).where(TRIALS.c.trial_id == trial_id, unended).values(changes)
        with self._session() as session:
            if session.execute(update).rowcount != 1:  # type: ignore[attr-defined]
                raise UpdateFinishedTrialError(f"trial {trial.number} has ended already, in the database")
            if trial.value is not None:
                row = {"trial_id": trial_id, "objective": 0}
                session.execute(self._write_value, row | stored_value(trial.value))

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """As Optuna's, but the range is compared with no other trial's: somebody may have added that."""
        row = {
            "trial_id": trial_id,
            "param_name": param_name,
            "param_value": param_value_internal,
            "distribution_json": distribution_to_json(distribution),
        }
        with self._session() as session:
            _refuse_ended(session, trial_id)
            session.execute(self._write_param, row)

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """As Optuna's, without its reads; so are the next two."""
        row = {"trial_id": trial_id, "step": step} | stored_intermediate_value(intermediate_value)
        with self._session() as session:
            session.execute(self._write_intermediate_value, row)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        with self._session() as session:
            session.execute(self._write_user_attr, *_attrs(trial_id, {key: value}))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        with self._session() as session:
            session.execute(self._write_system_attr, *_attrs(trial_id, {key: value}))

    @contextlib.contextmanager
    def _session(self) -> Iterator[orm.Session]:
        """The joined transaction's session, or a transaction of its own."""
        session = self.scoped_session()
        assert isinstance(session, _Session)
        if not session.joined:
            with self.joined():
                yield session
            return
        if session.guarded is not None:
            trial_id, session.guarded = session.guarded, None
            _refuse_ended(session, trial_id)
        yield session


def _refuse_ended(session: orm.Session, trial_id: int) -> None:
    state = sa.select(TRIALS.c.state).where(TRIALS.c.trial_id == trial_id).with_for_update()
    if session.execute(state).scalar_one().is_finished():
        raise UpdateFinishedTrialError(f"somebody else has ended the trial with id {trial_id}")


def _upsert(dialect: str, table: sa.Table, *identity: str) -> sa.Insert:
    """Insert a row, or change the one that there is with the same identity."""
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    changed = [column.name for column in table.c if not column.primary_key and column.name not in identity]
    values = {name: insert.excluded[name] for name in changed}
    return insert.on_conflict_do_update(index_elements=identity, set_=values)


def _attrs(trial_id: int, attrs: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attrs.items()
    ]


def _utc(local: datetime.datetime | None) -> datetime.datetime | None:
    """Optuna has naive local times in memory and naive UTC in the database."""
    return None if local is None else local.astimezone(datetime.UTC).replace(tzinfo=None)
