"""A real PostgreSQL server on loopback, for as long as the tests run; it can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

_USER = "sweeps"


class Postgres:
    """One server with its own data folder.

    Args:
        binaries: the folder of `initdb` and `pg_ctl`.
        folder: an empty one, owned by the account that runs the server.
        account: to run as, for PostgreSQL refuses root; None: as this process.
    """

    def __init__(self, binaries: Path, folder: Path, account: str | None) -> None:
        self._binaries, self._data, self._account = binaries, folder / "data", account
        self._log = folder / "log"
        self.port = free_port()
        self._call("initdb", "-D", self._data, "-U", _USER, "-A", "trust", "--no-sync")
        options = f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{folder}'\n"
        options += "shared_buffers='16MB'\nmax_connections=50\n"
        self._call("sh", "-c", f'printf %s "$0" >> {self._data}/postgresql.conf', options)

    def start(self) -> None:
        self._call("pg_ctl", "-D", self._data, "-l", self._log, "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is a crash: connections are cut, what was committed is recovered at the start."""
        self._call("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def new_database(self) -> str:
        """The SQLAlchemy URL of an empty database."""
        name = f"d{uuid.uuid4().hex}"
        self._call("createdb", "-h", "127.0.0.1", "-p", self.port, "-U", _USER, name)
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{name}"

    def _call(self, program: str, *arguments: object) -> None:
        path = self._binaries / program
        command = [str(path if path.exists() else program), *map(str, arguments)]
        if self._account:
            command = ["runuser", "-u", self._account, "--", *command]
        # To files: a server that was started keeps its parent's pipes open.
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(command, stdout=said, stderr=said, cwd="/")
            said.seek(0)
            assert done.returncode == 0, said.read()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server; skips where PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket lies in it: the path has to be short
    if account:
        shutil.chown(folder, account)
    server = Postgres(binaries, folder, account)
    server.start()
    yield server
    with contextlib.suppress(AssertionError):
        server.stop("immediate")
    shutil.rmtree(folder)


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _binaries() -> Path | None:
    """Distributions keep servers of several versions side by side, none of them on PATH."""
    found = shutil.which("pg_ctl")
    places = [Path(found)] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return places[-1].parent if places else None


def _account() -> str | None:
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    pytest.skip("PostgreSQL does not run as root, and there is no other account")
