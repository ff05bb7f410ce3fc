"""MLflow is a view: when its store goes away the sweep goes on, and the view is exact afterwards."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from scripted import report_only
from sweep_checks import check_study, check_view, records_in, view_of
from sweep_fixtures import MakeSweep

from search.driver import run_sweep
from search.errors import TrackingDown, UserError
from search.tracking.store import TrackingStore

WRITES = ("open_sweep", "create_trial", "write_trial", "write_sweep")


class Outage:
    """Lets a store's writes fail, each after its work was done: the worst moment to be repeated from.

    Args:
        patch: where to.
        fails: whether the call of this number, counted from 0 over all writes, fails.
    """

    def __init__(self, patch: pytest.MonkeyPatch, fails: Callable[[int], bool]) -> None:
        self.calls = 0
        self._fails = fails
        for name in WRITES:
            patch.setattr(TrackingStore, name, self._failing(getattr(TrackingStore, name)))

    def _failing(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*args: Any) -> Any:
            call, self.calls = self.calls, self.calls + 1
            done = write(*args)
            if self._fails(call):
                raise TrackingDown(f"call {call} got no answer")
            return done

        return failing


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting before a write is tried again."""
    monkeypatch.setattr("search.tracking.view._FIRST_WAIT_S", 0.01)
    monkeypatch.setattr("search.tracking.view._LONGEST_WAIT_S", 0.02)


@pytest.mark.usefixtures("at_once")
def test_an_outage_in_the_middle_loses_and_doubles_nothing(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(monkeypatch, fails=lambda call: call < 10 and call % 3 == 0)
    config = make_sweep(pruner="asha", settings={"epoch_s": 0.05})
    result = run_sweep(config)
    assert outage.calls > 2 * config.trials
    assert result.view_missing is None
    check_study(config, config.trials)
    check_view(config)


@pytest.mark.usefixtures("at_once")
def test_a_store_that_is_down_to_the_end_is_completed_by_a_resume(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_sweep()
    with monkeypatch.context() as patch:
        Outage(patch, fails=lambda call: call > 5)
        result = run_sweep(config, report_only)
    assert not result.succeeded
    assert "not up to date in MLflow" in (result.view_missing or "")
    check_study(config, config.trials)
    assert [run.info.status for run in view_of(config).trials].count("FINISHED") < config.trials

    before = records_in(config)
    assert run_sweep(config, report_only).succeeded
    after = records_in(config)
    assert all(record.run_id for record in after)
    assert [replace(record, run_id=None) for record in after] == [
        replace(record, run_id=None) for record in before
    ], "nothing was trained again"
    check_view(config)


@pytest.mark.usefixtures("at_once")
def test_the_sweeps_own_run_is_completed_too(make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last trial's run is complete and the sweep's own run is not, as after a crash between the two."""
    config = make_sweep(trials=2)
    with monkeypatch.context() as patch:
        patch.setattr(TrackingStore, "write_sweep", down)
        assert not run_sweep(config, report_only).succeeded
    assert run_sweep(config, report_only).succeeded
    check_view(config)


def down(*_: object) -> None:
    """A write that the store does not take."""
    raise TrackingDown("nobody answers")


def test_a_new_sweep_is_refused_when_the_store_does_not_answer(make_sweep: MakeSweep) -> None:
    config = make_sweep(tracking_uri=f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(UserError, match=r"http://127.0.0.1:\d+ does not answer .*check `tracking_uri`"):
        run_sweep(config)
    assert not config.folder.exists(), "nothing half-made"


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
