"""The view by itself: what others do to a sweep's runs, what the store refuses, and faults of its own."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState
from sweep_makers import epoch, record, sweep_config

from search.config.sweep_config import SweepConfig
from search.errors import TrackingDown, TrackingRefused, UserError
from search.study.hand_outs import HandOut
from search.study.records import TrialRecord
from search.tracking.connection import TrackingConnection
from search.tracking.repair.view_repair import Repairs, sync_view
from search.tracking.store import TrackingStore, TrialRun
from search.tracking.view import MlflowView

SOUND = [record(number, value=0.5, epochs=(epoch(1),)) for number in range(3)]
# MLflow takes no parentheses in a metric's name.
REFUSED = dataclasses.replace(
    SOUND[1], epochs=(epoch(1, metrics={"val_acc": 0.5, "epoch_s": 2.0, "f1(macro)": 0.4}),)
)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store for all tests, which tell their sweeps apart by their ids."""
    return f"sqlite:///{tmp_path_factory.mktemp('view') / 'mlflow.db'}"


@pytest.fixture
def config(uri: str, tmp_path: Path) -> SweepConfig:
    return sweep_config(tmp_path, tracking_uri=uri, trials=3)


def opened(config: SweepConfig, sweep_id: str, records: Sequence[TrialRecord]) -> MlflowView:
    """A view that has begun to write these trials."""
    store = TrackingStore(config.tracking_uri, config.experiment)
    view = MlflowView(lambda: store, config, sweep_id, check_lease=lambda: None)
    view.sweep_opened(records)
    return view


def closed(view: MlflowView) -> str | None:
    return view.close("FINISHED", "complete", wait_s=60)


def runs_of(config: SweepConfig, sweep_id: str) -> dict[str, str]:
    """Name and status of each run of a sweep."""
    store = TrackingStore(config.tracking_uri, config.experiment)
    found = store.client.search_runs([store.experiment_id], f"tags.`sweep.id` = '{sweep_id}'")
    return {run.info.run_name: run.info.status for run in found}


def test_a_run_that_a_user_nests_below_the_sweep_is_his_own(config: SweepConfig) -> None:
    first = opened(config, "nested", SOUND[:2])
    assert closed(first) is None
    assert first.page is not None
    client = MlflowClient(config.tracking_uri)
    own = client.create_run(
        first.page.experiment_id, tags={"mlflow.parentRunId": first.page.sweep_run_id}
    ).info.run_id
    assert closed(opened(config, "nested", SOUND)) is None
    store = TrackingStore(config.tracking_uri, config.experiment)
    assert sync_view(store, config, "nested", SOUND) == Repairs()
    assert set(runs_of(config, "nested").values()) == {"FINISHED"}
    assert client.get_run(own).info.lifecycle_stage == "active"


def test_an_outage_while_an_earlier_drivers_runs_are_listed_makes_no_second_ones(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert closed(opened(config, "listed late", SOUND[:2])) is None
    listed, outages = TrackingStore.trial_runs, [TrackingDown("nobody answers")]

    def failing_once(store: TrackingStore, sweep_run_id: str) -> dict[str, TrialRun]:
        if outages:
            raise outages.pop()
        return listed(store, sweep_run_id)

    monkeypatch.setattr(TrackingStore, "trial_runs", failing_once)
    monkeypatch.setattr("search.tracking.view._FIRST_WAIT_S", 0.01)
    view = opened(config, "listed late", SOUND[:2])
    while "trying again" not in caplog.text:
        time.sleep(0.01)
    view.trial_changed(SOUND[2])
    assert closed(view) is None
    store = TrackingStore(config.tracking_uri, config.experiment)
    found = store.client.search_runs([store.experiment_id], "tags.`sweep.id` = 'listed late'")
    assert sorted(run.info.run_name for run in found) == ["trial-000", "trial-001", "trial-002", "try"]


def test_a_refusal_is_told_once_and_holds_nothing_else_up(
    config: SweepConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    write = TrackingStore.write_trial

    def counted(store: TrackingStore, *args: object) -> None:
        tries.append(args[2].number)  # type: ignore[attr-defined]
        write(store, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(TrackingStore, "write_trial", counted)
    missing = closed(opened(config, "refused", [SOUND[0], REFUSED, SOUND[2]]))
    assert missing is not None
    assert missing.startswith("1 of 3 trials are not up to date in MLflow: tracking store sqlite:///")
    assert 'refuses this (Invalid value "f1(macro)"' in missing
    assert caplog.text.count("refuses this") == 1
    assert tries.count(1) <= 2, "tried again at the end, and not for ever"
    statuses = runs_of(config, "refused")
    assert statuses["trial-000"] == statuses["trial-002"] == "FINISHED"
    assert statuses["trial-001"] == "RUNNING", "what has its end is complete"
    assert closed(opened(config, "refused", SOUND)) is None


def test_what_the_user_mends_meanwhile_is_made_up_for_at_the_end(
    config: SweepConfig, caplog: pytest.LogCaptureFixture
) -> None:
    config = config.model_copy(update={"experiment": "trashed"})
    store = TrackingStore(config.tracking_uri, config.experiment)
    store.client.delete_experiment(store.experiment_id)
    tried: list[bool] = []

    def connect() -> TrackingStore:
        tried.append(True)
        if len(tried) == 2:  # at the end
            store.client.restore_experiment(store.experiment_id)
        return TrackingStore(config.tracking_uri, config.experiment)

    view = MlflowView(connect, config, "trashed", check_lease=lambda: None)
    with caplog.at_level(logging.ERROR, "search"):
        view.sweep_opened(SOUND)
        while "experiment 'trashed' is in the trash" not in caplog.text:
            time.sleep(0.01)
    assert closed(view) is None
    assert len(tried) == 2
    assert set(runs_of(config, "trashed").values()) == {"FINISHED"}


def test_a_new_sweep_is_refused_an_experiment_in_the_trash(config: SweepConfig) -> None:
    config = config.model_copy(update={"experiment": "thrown away"})
    store = TrackingStore(config.tracking_uri, config.experiment)
    store.client.delete_experiment(store.experiment_id)
    with TrackingConnection(config) as tracking:
        tracking.open()
        with pytest.raises(UserError, match=r"another `experiment`$") as refused:
            tracking.check()
    command = re.findall("`(.*?)`", str(refused.value))[0]
    variable, _, *arguments = shlex.split(command)
    name, _, uri = variable.partition("=")
    mlflow = [sys.executable, "-m", "mlflow", *arguments]
    subprocess.run(mlflow, env={**os.environ, name: uri}, check=True, capture_output=True)
    assert TrackingStore(config.tracking_uri, config.experiment).experiment_id == store.experiment_id


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("sweep.trial_key"), "KeyError: 'sweep.trial_key'"),
        (TrackingDown("nobody answers"), "nobody answers"),
        (TrackingRefused("not a number"), "not a number"),
    ],
)
def test_whatever_stops_the_view_is_told(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(TrackingStore, "write_sweep", fail)
        missing = closed(opened(config, f"stopped by {told}".replace("'", ""), SOUND))
    assert missing is not None
    assert missing.endswith(f" not up to date in MLflow: {told}")


def test_a_frozen_trials_run_runs_on_and_its_tags_tell_it_apart(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = [
        HandOut(1, cost=1, reports=0, why="new"),
        HandOut(2, cost=1, reports=9, why="2nd of 9 at epoch 1"),
        HandOut(None, cost=1, reports=30, why="finish: best of 5 by prediction"),
    ]
    epochs = (epoch(1), epoch(2), epoch(3))

    def handed(trained: int, times: int, **fields: Any) -> TrialRecord:
        kept = {"state": TrialState.RUNNING, "ended_ms": None, **fields}
        return record(0, epochs=epochs[:trained], hand_outs=tuple(outs[:times]), **kept)

    store = TrackingStore(config.tracking_uri, config.experiment)
    frozen, thawed, again = handed(1, 1), handed(1, 2), handed(2, 2)
    assert opened(config, "frozen", [frozen]).close("KILLED", "interrupted", wait_s=60) is None
    (run,) = store.children(sweep_run(store, "frozen"))
    assert (run.info.status, run.data.tags["sweep.state"]) == ("RUNNING", "frozen")
    assert run.data.tags["sweep.hand_outs"] == "to 1: new"
    assert "final_val_acc" not in run.data.metrics
    assert sync_view(store, config, "frozen", [frozen]) == Repairs()

    written: list[TrialRecord] = []
    write = TrackingStore.write_trial

    def counted(store: TrackingStore, *args: Any, **kwargs: Any) -> None:
        written.append(args[2])
        write(store, *args, **kwargs)

    monkeypatch.setattr(TrackingStore, "write_trial", counted)
    view = opened(config, "frozen", [frozen])
    assert view.close("KILLED", "interrupted", wait_s=60) is None
    assert written == [], "what is frozen and shown so is not written again"
    for change in (thawed, again):
        assert opened(config, "frozen", [change]).close("KILLED", "interrupted", wait_s=60) is None
        (run,) = store.children(sweep_run(store, "frozen"))
        assert run.data.tags["sweep.state"] == change.outcome
        assert run.data.tags["sweep.hand_outs"] == "to 1: new; to 2: 2nd of 9 at epoch 1"
    store.client.set_tag(run.info.run_id, "sweep.state", "running")
    assert sync_view(store, config, "frozen", [again]) == Repairs(completed=1)
    end = handed(3, 3, state=TrialState.COMPLETE, value=0.5, ended_ms=9)
    assert closed(opened(config, "frozen", [end])) is None
    (run,) = store.children(sweep_run(store, "frozen"))
    assert (run.info.status, run.data.tags["sweep.state"]) == ("FINISHED", "complete")
    assert run.data.tags["sweep.hand_outs"].endswith("; to the end: finish: best of 5 by prediction")
    assert len(store.client.get_metric_history(run.info.run_id, "val_acc")) == 3
    pruned = dataclasses.replace(again, number=1, state=TrialState.PRUNED, ended_ms=9)
    assert closed(opened(config, "frozen", [end, pruned])) is None
    (run,) = [run for run in store.children(sweep_run(store, "frozen")) if run.info.run_name == "trial-001"]
    assert (run.info.status, run.data.tags["sweep.state"]) == ("KILLED", "pruned")
    assert run.data.metrics["final_val_acc"] == 0.5
    done = config.model_copy(update={"trials": 2})
    assert sync_view(store, done, "frozen", [end, pruned]) == Repairs()


def sweep_run(store: TrackingStore, sweep_id: str) -> str:
    """The id of a sweep's own run."""
    run = store.find_run(sweep__id=sweep_id, sweep__kind="sweep")
    assert run is not None
    return str(run.info.run_id)


def test_a_trial_that_changes_while_the_view_looks_for_its_run_is_written(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that is resumed may only have to end its frozen trials, sooner than MLflow answers."""
    out = HandOut(1, cost=1, reports=0, why="new")
    frozen = record(0, TrialState.RUNNING, epochs=(epoch(1),), hand_outs=(out,), ended_ms=None)
    ended = dataclasses.replace(frozen, state=TrialState.PRUNED, value=0.5, ended_ms=9)
    assert opened(config, "slow", [frozen]).close("KILLED", "interrupted", wait_s=60) is None

    store = TrackingStore(config.tracking_uri, config.experiment)
    view = MlflowView(lambda: store, config, "slow", check_lease=lambda: None)
    find_runs = TrackingStore.trial_runs

    def slow(self: TrackingStore, sweep_run_id: str) -> dict[str, TrialRun]:
        runs = find_runs(self, sweep_run_id)
        view.trial_changed(ended)
        return runs

    monkeypatch.setattr(TrackingStore, "trial_runs", slow)
    view.sweep_opened([frozen])
    assert view.close("KILLED", "interrupted", wait_s=60) is None
    assert sync_view(store, config, "slow", [ended]) == Repairs()
