"""A study in a real PostgreSQL: swept, killed, restarted under a sweep, and driven by one driver only."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from fault_postgres import Postgres
from fault_tools import After, Toll, driver, logged_sweep
from optuna.trial import TrialState
from sweep_checks import check_a_read_amid_writes

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.errors import UserError
from search.policy.making import make_policy
from search.study.database import NoStudies, opened_storage
from search.study.ledger import Ledger
from search.study.records import Epoch

TRIALS, AT_ONCE = 6, 2

pytestmark = pytest.mark.usefixtures("local_ray")


@pytest.fixture
def config(postgres: Postgres, tmp_path: Path, tracking_uri: str) -> SweepConfig:
    return logged_sweep(
        tmp_path,
        tracking_uri,
        storage=postgres.new_database(),
        trials=TRIALS,
        concurrency=AT_ONCE,
        pruner="median",
        settings={"epoch_s": 0.3},
    )


@pytest.mark.slow
def test_killed_refused_and_taken_over_on_postgres(config: SweepConfig, tmp_path: Path) -> None:
    toll = Toll(config)
    with driver(config, tmp_path) as first:
        first.until(lambda: len(toll.finished) >= 3)
        with pytest.raises(UserError, match=rf"is being driven on host .*, pid {first.pid}"):
            run_sweep(config)
        first.kill()
        toll.note_fault()

        move_lease_to_another_host(config, expires_in_s=3.0)
        with pytest.raises(UserError, match=r"is being driven on host elsewhere, pid"):
            run_sweep(config)
        time.sleep(3.0)
        assert run_sweep(config).succeeded
    records = toll.check(TRIALS, in_flight=AT_ONCE)
    assert {record.state for record in records} <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_a_fresh_database_is_opened_by_many_at_once(postgres: Postgres) -> None:
    url, together = postgres.new_database(), threading.Barrier(8)

    def opened(create: bool) -> bool:
        together.wait()
        try:
            with opened_storage(url, create=create) as storage:
                return storage.get_all_studies() == []
        except NoStudies:  # a reader that came before its tables
            return not create

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(opened, [True, False] * 4))


def test_an_epoch_written_amid_a_read_is_seen_whole_or_not_at_all(config: SweepConfig) -> None:
    numbers = itertools.count(1)

    def report() -> None:
        number = next(numbers)
        ledger.report(0, Epoch(number, {"val_acc": 0.5}, timestamp_ms=number, worker="host:1"))

    config = config.model_copy(update={"max_epochs": 99})
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = Ledger.open(config, storage, make_policy(config))
        ledger.start(ledger.ask().number)
        check_a_read_amid_writes(config, report)


@pytest.mark.slow
def test_a_server_that_crashes_and_comes_back_is_waited_for(
    config: SweepConfig, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    restarts: list[threading.Thread] = []

    def crash() -> None:
        postgres.stop("immediate")
        restarts.append(threading.Timer(4.0, postgres.start))
        restarts[0].start()

    toll, crash_it = Toll(config), After(3, crash)
    with caplog.at_level(logging.WARNING, "search"):
        result = run_sweep(config, observers=[crash_it])
    restarts[0].join()
    assert result.succeeded
    assert "went away" in caplog.text
    assert "is back; going on" in caplog.text
    toll.check(TRIALS, in_flight=AT_ONCE)


def move_lease_to_another_host(config: SweepConfig, expires_in_s: float) -> None:
    """As if the driver that died had run elsewhere, where nobody can look whether its process lives."""
    engine = sa.create_engine(config.storage_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE sweep_lease SET host = 'elsewhere', expires_at = :at"),
            {"at": time.time() + expires_in_s},
        )
    engine.dispose()
