"""MLflow that goes away: trials go on, the view catches up, or a resume completes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fault_postgres import Postgres
from fault_server import MlflowServer
from fault_tools import After, Lock, Toll, logged_sweep
from script_runs import run_script
from sweep_checks import check_study

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep

TRIALS = 6
DOWN_S = 2.0  # and what a server takes to start

pytestmark = pytest.mark.usefixtures("local_ray", "soon_again")


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that waits at most a second before it tries again."""
    monkeypatch.setattr("search.tracking.view._LONGEST_WAIT_S", 1.0)


BACKENDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=BACKENDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    """An MLflow server; each test leaves it running."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        backend = f"sqlite:///{folder / 'mlflow.db'}"
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        backend = postgres.new_database()
    with MlflowServer(backend, folder) as running:
        yield running


def restart_later(server: MlflowServer) -> threading.Thread:
    server.kill()
    thread = threading.Timer(DOWN_S, server.start)
    thread.start()
    return thread


def test_a_server_that_is_away_for_a_while_is_caught_up_with(
    server: MlflowServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = logged_sweep(tmp_path, server.uri, trials=TRIALS, name="away", settings={"epoch_s": 0.1})
    toll, restarts = Toll(config), list[threading.Thread]()
    kill_it = After(3, lambda: restarts.append(restart_later(server)))
    with caplog.at_level(logging.WARNING, "search"):
        result = run_sweep(config, observers=[kill_it])
    restarts[0].join()
    assert "does not answer" in caplog.text
    assert "nothing is lost" in caplog.text
    if result.view_missing:  # it was away for longer than the sweep took
        assert run_sweep(config).view_missing is None
    toll.check(TRIALS, in_flight=0)


@pytest.mark.slow
def test_a_server_that_stays_away_is_completed_by_a_resume(server: MlflowServer, tmp_path: Path) -> None:
    config = logged_sweep(tmp_path, server.uri, trials=TRIALS, name="gone", settings={"epoch_s": 0.1})
    toll = Toll(config)
    result = run_sweep(config, observers=[After(3, server.kill)])
    assert not result.succeeded
    assert "not up to date in MLflow" in (result.view_missing or "")
    kept = check_study(config, TRIALS)
    resume = [config.name, "--sweeps-dir", str(config.sweeps_dir)]
    still_down = run_script("resume", *resume)
    assert still_down.exit_code == 1, still_down.output
    assert "MLflow is behind" in still_down.stderr
    server.start()
    completed = run_script("resume", *resume)
    assert completed.exit_code == 0, completed.output
    ended = toll.check(TRIALS, in_flight=0)
    assert all(record.run_id for record in ended), "which only now has a run"
    assert [replace(record, run_id=None) for record in ended] == [
        replace(record, run_id=None) for record in kept
    ]


@pytest.mark.slow
def test_a_locked_store_is_waited_for(tmp_path: Path, tracking_uri: str) -> None:
    file = Path(tracking_uri.removeprefix("sqlite:///"))
    config: SweepConfig = logged_sweep(tmp_path, tracking_uri, trials=TRIALS, settings={"epoch_s": 0.3})
    toll, locks = Toll(config), list[Lock]()
    lock_it = After(3, lambda: locks.append(Lock(file, seconds=8.0)))
    result = run_sweep(config, observers=[lock_it])
    locks[0].release()
    assert result.succeeded
    toll.check(TRIALS, in_flight=0)
