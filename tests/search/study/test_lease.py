"""One driver per sweep: who holds the lease writes, who lost it writes nothing more."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage

import search.study.lease
from search.errors import LeaseLost, UserError
from search.study.lease import TTL_S, Lease, new_token


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[list[sa.Engine]]:
    """The same database as several drivers see it, each through its own connections."""
    made = [sa.create_engine(f"sqlite:///{tmp_path / 'study.db'}") for _ in range(4)]
    yield made
    for engine in made:
        engine.dispose()


def row(engine: sa.Engine) -> dict[str, Any] | None:
    """The lease as it stands in the database."""
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT * FROM sweep_lease")).mappings().one_or_none()
    return None if found is None else dict(found)


def change(engine: sa.Engine, **values: Any) -> None:
    """Change the lease behind its holder's back."""
    changes = ", ".join(f"{name} = :{name}" for name in values)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE sweep_lease SET {changes}"), values)


def write(engine: sa.Engine) -> None:
    """Any write of a driver."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS noted (value INTEGER)"))
        connection.execute(sa.text("INSERT INTO noted VALUES (1)"))


def test_a_second_driver_is_refused_with_the_firsts_host_and_pid(engines: list[sa.Engine]) -> None:
    refusal = (
        f"'mine' is being driven on host {socket.gethostname()}, pid {os.getpid()}: .*kill {os.getpid()}"
    )
    with Lease.hold(engines[0], "mine"):
        before = row(engines[1])
        with pytest.raises(UserError, match=refusal), Lease.hold(engines[1], "mine"):
            pass
        assert row(engines[1]) == before


def test_another_sweep_in_the_same_database_is_another_lease(engines: list[sa.Engine]) -> None:
    with Lease.hold(engines[0], "mine"), Lease.hold(engines[1], "yours"):
        for engine in engines[:2]:
            write(engine)


def test_the_lease_is_given_back_at_the_end_and_after_an_error(engines: list[sa.Engine]) -> None:
    with Lease.hold(engines[0], "mine"):
        assert row(engines[1]) is not None
    assert row(engines[1]) is None
    with pytest.raises(KeyError), Lease.hold(engines[0], "mine"):
        raise KeyError
    with Lease.hold(engines[1], "mine"):
        pass


def test_after_the_end_the_engine_works_without_a_lease(engines: list[sa.Engine]) -> None:
    with Lease.hold(engines[0], "mine"):
        pass
    write(engines[0])


def test_a_dead_drivers_lease_is_taken_over_at_once(engines: list[sa.Engine], tmp_path: Path) -> None:
    code = (
        "import os, sqlalchemy, sys\n"
        "from search.study.lease import Lease\n"
        "with Lease.hold(sqlalchemy.create_engine(sys.argv[1]), 'mine'):\n"
        "    os._exit(9)\n"
    )
    url = f"sqlite:///{tmp_path / 'study.db'}"
    killed = subprocess.run([sys.executable, "-c", code, url], cwd=Path(__file__).parents[3], timeout=60)
    assert killed.returncode == 9
    left = row(engines[0])
    assert left is not None
    assert left["pid"] != os.getpid()
    assert left["expires_at"] > time.time()
    with Lease.hold(engines[0], "mine"):
        held = row(engines[1])
    assert held is not None
    assert held["pid"] == os.getpid()


def leave_a_lease(engines: list[sa.Engine], **values: Any) -> None:
    """A row that a driver left behind without giving it back."""
    with Lease.hold(engines[0], "mine"):
        held = row(engines[1])
        assert held is not None
    with engines[1].begin() as connection:
        names = ", ".join(held)
        marks = ", ".join(f":{name}" for name in held)
        connection.execute(sa.text(f"INSERT INTO sweep_lease ({names}) VALUES ({marks})"), {**held, **values})


@pytest.mark.parametrize("host", ["elsewhere", socket.gethostname()])
def test_a_lease_that_was_not_renewed_is_taken_over(engines: list[sa.Engine], host: str) -> None:
    leave_a_lease(engines, host=host, expires_at=time.time() - 1)
    with Lease.hold(engines[0], "mine"):
        held = row(engines[1])
    assert held is not None
    assert held["pid"] == os.getpid()
    assert held["expires_at"] > time.time() + TTL_S / 2


def test_a_driver_knows_its_own_lease_again_by_the_token(engines: list[sa.Engine]) -> None:
    leave_a_lease(engines, token="mine", pid=os.getppid(), expires_at=time.time() + 60)
    with pytest.raises(UserError, match="is being driven"), Lease.hold(engines[0], "mine", new_token()):
        pass
    with Lease.hold(engines[0], "mine", token="mine"):
        write(engines[0])


def test_a_lease_of_this_pid_that_this_process_does_not_hold_is_taken_over(engines: list[sa.Engine]) -> None:
    """A driver in a container has the same pid again after a restart."""
    leave_a_lease(engines, expires_at=time.time() + 60)
    with Lease.hold(engines[0], "mine"):
        write(engines[0])


def test_another_hosts_lease_holds_until_it_runs_out(engines: list[sa.Engine]) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=60)  # its pid says nothing about another host
    leave_a_lease(engines, host="elsewhere", pid=gone.pid, expires_at=time.time() + 5)
    with (
        pytest.raises(UserError, match=f"on host elsewhere, pid {gone.pid}"),
        Lease.hold(engines[0], "mine"),
    ):
        pass


CONTAINER = ["unshare", "--user", "--pid", "--fork"]
HELD_IN_A_CONTAINER = """
import sqlalchemy, sys, time
import search.study.lease
search.study.lease.RENEW_S = 0.2
with search.study.lease.Lease.hold(sqlalchemy.create_engine(sys.argv[1]), "mine"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_live_driver_in_another_container_of_this_host_name_is_not_robbed(
    engines: list[sa.Engine], tmp_path: Path
) -> None:
    if shutil.which(CONTAINER[0]) is None or subprocess.run([*CONTAINER, "true"]).returncode:
        pytest.skip("no pid namespaces here")
    code = [sys.executable, "-c", HELD_IN_A_CONTAINER, f"sqlite:///{tmp_path / 'study.db'}"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*CONTAINER, *code], cwd=Path(__file__).parents[3], **pipes) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "held\n"
        held = row(engines[0])
        assert held is not None
        assert held["pid"] == 1, "its own pid there, and another process's here"
        refusal = f"driven on host {socket.gethostname()}, pid 1: "
        with pytest.raises(UserError, match=refusal), Lease.hold(engines[0], "mine"):
            pass
        driver.communicate("", timeout=60)
        assert driver.returncode == 0, "it lost its lease"


@pytest.mark.parametrize("where", ["", "another-boot pid:[1]"], ids=["an earlier version's", "a container's"])
def test_a_driver_of_this_host_name_that_cannot_be_seen_is_waited_for(
    engines: list[sa.Engine], where: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "search.study.lease")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(timeout=60)  # its pid says nothing about another container
    ends = time.time() + 1.5
    leave_a_lease(engines, host=f"{socket.gethostname()} {where}".rstrip(), pid=gone.pid, expires_at=ends)
    with Lease.hold(engines[0], "mine"):
        assert time.time() > ends
        write(engines[0])
    assert "cannot be seen from here: waiting up to" in caplog.text


def test_a_driver_that_its_parent_has_not_buried_yet_is_dead(engines: list[sa.Engine]) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    leave_a_lease(engines, pid=zombie.pid, expires_at=time.time() + 60)
    with Lease.hold(engines[0], "mine"):
        write(engines[0])
    zombie.wait()


def test_who_lost_the_lease_writes_nothing_more(sqlite_storage: RDBStorage, engines: list[sa.Engine]) -> None:
    study = optuna.create_study(study_name="mine", storage=sqlite_storage)
    with Lease.hold(sqlite_storage.engine, "mine"):
        trial = study.ask()
        change(engines[1], token="another's", host="elsewhere", pid=7)
        with pytest.raises(LeaseLost, match="taken over by host elsewhere, pid 7"):
            trial.report(0.5, step=1)
        with pytest.raises(LeaseLost):
            study.tell(trial, 0.5)
        with pytest.raises(LeaseLost):
            study.ask()
        with pytest.raises(LeaseLost):
            study.set_user_attr("mine", True)
    there = optuna.load_study(study_name="mine", storage=sqlite_storage)
    assert [(t.state.name, t.intermediate_values) for t in there.trials] == [("RUNNING", {})]
    assert there.user_attrs == {}
    held = row(engines[1])
    assert held is not None, "the new holder's row is not given back for it"
    assert held["token"] == "another's"


def test_who_finds_its_row_gone_writes_nothing_either(engines: list[sa.Engine]) -> None:
    with Lease.hold(engines[0], "mine"):
        with engines[1].begin() as connection:
            connection.execute(sa.text("DELETE FROM sweep_lease"))
        with pytest.raises(LeaseLost, match="taken over by nobody"):
            write(engines[0])


def test_renewals_put_the_end_off_until_another_has_the_lease(
    engines: list[sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.study.lease, "RENEW_S", 0.02)

    def ends_at() -> float:
        held = row(engines[1])
        assert held is not None
        return float(held["expires_at"])

    with Lease.hold(engines[0], "mine"):
        first, until = ends_at(), time.monotonic() + 20
        while ends_at() == first:
            assert time.monotonic() < until, "never renewed"
            time.sleep(0.01)
        change(engines[1], token="another's", expires_at=1.0)
        time.sleep(0.3)
        assert ends_at() == 1.0


def test_of_two_that_find_the_same_dead_driver_one_wins(
    engines: list[sa.Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_a_lease(engines, pid=os.getppid(), expires_at=time.time() + 60)
    found_dead: list[int] = []
    with ExitStack() as stack:

        def nobody_there(pid: int, signal: int) -> None:
            found_dead.append(pid)
            if len(found_dead) == 1:  # the other is quicker: it takes the lease before the first can
                stack.enter_context(Lease.hold(engines[1], "mine"))
                monkeypatch.undo()
            raise ProcessLookupError

        monkeypatch.setattr(os, "kill", nobody_there)
        with pytest.raises(UserError, match="is being driven"), Lease.hold(engines[0], "mine"):
            pass
        write(engines[1])
    assert len(found_dead) == 2


@pytest.mark.parametrize("left", ["a fresh database", "a given back lease", "a stale lease"])
def test_of_drivers_that_start_at_once_exactly_one_wins(engines: list[sa.Engine], left: str) -> None:
    if left != "a fresh database":
        leave_a_lease(engines, expires_at=1.0)
    if left == "a given back lease":
        with Lease.hold(engines[0], "mine"):
            pass
    start, ended = threading.Barrier(len(engines)), threading.Barrier(len(engines))
    results: list[object] = []

    def drive(engine: sa.Engine) -> None:
        start.wait(timeout=20)
        with ExitStack() as stack:
            try:
                stack.enter_context(Lease.hold(engine, "mine"))
                results.append("won")
            except Exception as error:  # of any kind: the test looks at it
                results.append(error)
            ended.wait(timeout=60)  # nobody lets go before all have tried

    drivers = [threading.Thread(target=drive, args=(engine,)) for engine in engines]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join(timeout=60)
    lost = [result for result in results if result != "won"]
    assert len(lost) == len(engines) - 1, results
    assert {type(error) for error in lost} == {UserError}, lost
