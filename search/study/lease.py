"""One driver per sweep: a lease in the study's own database, checked inside every transaction.

A lease is a row with its holder's host, pid and a token. The holder renews it; a row that was not
renewed in time, or whose process is gone, may be taken over. Whether a process is gone can be seen only
from within its own kernel and pid namespace (`search/study/whereabouts.py`): containers share host names, and
one's pid is nobody's or somebody else's in another. The token is looked up in the same transaction as
every write to the study, so a driver that slept through its lease (SIGSTOP, a suspended laptop) cannot
write afterwards, however late it wakes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator

import sqlalchemy as sa

from search.errors import LeaseLost, UserError
from search.study.database import database_cause
from search.study.whereabouts import Whereabouts

TTL_S = 30.0  # longer than any pause of a healthy driver, shorter than a user's patience
RENEW_S = TTL_S / 3
_LOOK_AGAIN_S = 0.5  # at the lease of a driver that cannot be seen from here

_held: set[str] = set()  # tokens of the leases that this process holds
_logger = logging.getLogger(__name__)
_table = sa.Table(
    "sweep_lease",
    sa.MetaData(),
    sa.Column("study_name", sa.String(512), primary_key=True),
    sa.Column("token", sa.String(32), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),  # as `Whereabouts` writes itself
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),  # Unix time, seconds
)


_Holder = sa.Row[tuple[str, str, str, int, float]]


class Lease:
    """The right of this process to drive one sweep; use `hold` to take it.

    Example:
        >>> from search.study.database import opened_storage
        >>> with opened_storage("sqlite:///lease.db") as storage:
        ...     with Lease.hold(storage.engine, "night") as lease:
        ...         lease.check()  # raises `LeaseLost` once another driver has taken the sweep over
    """

    def __init__(self, engine: sa.Engine, study_name: str, token: str) -> None:
        self._engine = engine
        self._study_name = study_name
        self._token = token
        self._released = threading.Event()
        self.after_death = False  # whether the driver before this one died
        # FOR SHARE holds a takeover off until the transaction is through; SQLite locks the file anyway.
        holder = sa.select(_table.c.token, _table.c.host, _table.c.pid).where(self._row)
        self._holder = holder.with_for_update(read=True)

    @classmethod
    @contextlib.contextmanager
    def hold(cls, engine: sa.Engine, study_name: str, token: str | None = None) -> Iterator[Lease]:
        """Take the lease, renew it in the background and give it back at the end.

        A lease with the same token is this driver's own, left over from before the storage went away.

        From here on every transaction of `engine` fails with `LeaseLost` once the lease is another's.

        Raises:
            UserError: a live driver holds it; names its host and pid.
        """
        _create_table(engine)
        lease = cls(engine, study_name, token or new_token())
        _held.add(lease._token)
        try:
            lease._take()
        except BaseException:  # of any kind, a stop too: it is raised on
            _held.discard(lease._token)
            raise
        renewer = threading.Thread(target=lease._renew_until_released, name="lease", daemon=True)
        renewer.start()
        sa.event.listen(engine, "commit", lease._check)
        try:
            yield lease
        finally:
            _held.discard(lease._token)
            sa.event.remove(engine, "commit", lease._check)
            lease._released.set()
            renewer.join()
            lease._give_back()

    def check(self) -> None:
        """For writes elsewhere than in the study: whether this process may still drive the sweep.

        Raises:
            LeaseLost: it was taken over.
        """
        with self._engine.connect() as connection:
            self._check(connection)

    def _take(self) -> None:
        mine = {"token": self._token, "host": str(Whereabouts.here()), "pid": os.getpid()}
        for _ in range(2):  # a second look after losing a race for a fresh row
            holder = self._seen_through(self._look())
            values = {**mine, "expires_at": time.time() + TTL_S}
            try:
                with self._engine.begin() as connection:
                    if holder is None:
                        connection.execute(_table.insert().values(study_name=self._study_name, **values))
                        return
                    if holder.token != self._token and _alive(holder):
                        break
                    stale = self._row & (_table.c.token == holder.token)
                    unrenewed = stale & (_table.c.expires_at == holder.expires_at)
                    if connection.execute(_table.update().where(unrenewed).values(**values)).rowcount:
                        self.after_death = holder.token != self._token
                        if self.after_death:
                            _logger.info("took over from the driver on %s", _holder(holder.host, holder.pid))
                        return
            except sa.exc.IntegrityError:
                continue
        assert holder is not None
        raise UserError(
            f"sweep {self._study_name!r} is being driven on {_holder(holder.host, holder.pid)}: "
            f"let it finish, or stop it (kill {holder.pid}) and resume"
        )

    def _look(self) -> _Holder | None:
        with self._engine.begin() as connection:
            return connection.execute(sa.select(_table).where(self._row)).one_or_none()

    def _seen_through(self, holder: _Holder | None) -> _Holder | None:
        """Watch a lease whose holder cannot be seen from here until it is renewed, given back or runs out.

        A container that is started again has its host name again, and cannot see that its former driver
        is gone: it waits for the lease to run out.
        """
        if holder is None or holder.token == self._token or not _out_of_sight(holder):
            return holder
        now: _Holder | None = holder
        while now is not None and now.expires_at == holder.expires_at and _alive(now):
            if now is holder:
                _logger.info(
                    "the driver on %s cannot be seen from here: waiting up to %.0f s for its lease to be "
                    "renewed or to run out",
                    _holder(holder.host, holder.pid),
                    max(0.0, holder.expires_at - time.time()),
                )
            time.sleep(_LOOK_AGAIN_S)
            now = self._look()
        return now

    @property
    def _row(self) -> sa.ColumnElement[bool]:
        return _table.c.study_name == self._study_name

    def _renew_until_released(self) -> None:
        mine = self._row & (_table.c.token == self._token)
        while not self._released.wait(RENEW_S):
            try:
                with self._engine.begin() as connection:
                    connection.execute(_table.update().where(mine).values(expires_at=time.time() + TTL_S))
            except (sa.exc.SQLAlchemyError, LeaseLost) as error:
                # A database that is away for a moment is tried again; the check at each write decides.
                _logger.warning("lease not renewed, trying again: %s", database_cause(error))

    def _check(self, connection: sa.Connection) -> None:
        """Runs inside each transaction, before it is committed."""
        holder = connection.execute(self._holder).one_or_none()
        if holder is None or holder.token != self._token:
            now = "nobody" if holder is None else _holder(holder.host, holder.pid)
            raise LeaseLost(
                f"sweep {self._study_name!r} was taken over by {now} while this driver slept: "
                "nothing more is written here"
            )

    def _give_back(self) -> None:
        mine = self._row & (_table.c.token == self._token)
        try:
            with self._engine.begin() as connection:
                connection.execute(_table.delete().where(mine))
        except sa.exc.SQLAlchemyError as error:
            # A row left behind is the same as after a crash: the next driver takes it over.
            _logger.info("lease not given back: %s", database_cause(error))


def driven_by(engine: sa.Engine, study_name: str) -> str | None:
    """Host and pid of the driver that is at work on a sweep; None: nobody drives it. Nothing is written."""
    if not sa.inspect(engine).has_table(_table.name):
        return None
    with engine.connect() as connection:
        holder = connection.execute(sa.select(_table).where(_table.c.study_name == study_name)).one_or_none()
    return _holder(holder.host, holder.pid) if holder is not None and _alive(holder) else None


def _create_table(engine: sa.Engine) -> None:
    """Make the table of leases, which a driver of another sweep may be doing at the same moment."""
    # PostgreSQL's IF NOT EXISTS does not see a table that is about to be committed.
    with contextlib.suppress(sa.exc.IntegrityError), engine.begin() as connection:
        connection.execute(sa.schema.CreateTable(_table, if_not_exists=True))


def new_token() -> str:
    """What tells one driver's lease from all others."""
    return uuid.uuid4().hex


def _alive(holder: _Holder) -> bool:
    """Whether a lease's holder may still be at work; a dead process tells at once where it can be seen."""
    if holder.expires_at < time.time():
        return False
    place = Whereabouts.parse(holder.host)
    if not place.visible:
        return True
    if holder.pid == os.getpid():
        # One whose storage went away for good could not give its lease back.
        return holder.token in _held
    return place.process_exists(holder.pid)


def _out_of_sight(holder: _Holder) -> bool:
    """Whether the holder is on a host of this one's name, but where its process cannot be seen."""
    place = Whereabouts.parse(holder.host)
    return place.host == Whereabouts.here().host and not place.visible


def _holder(host: str, pid: int) -> str:
    return f"host {Whereabouts.parse(host).host}, pid {pid}"
