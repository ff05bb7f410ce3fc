"""`sync_mlflow`: the view made exact again from the study alone, whatever was done to it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, ViewType
from script_runs import run_script
from scripted import report_only
from sweep_checks import View, check_view, view_of
from sweep_fixtures import MakeSweep, scripted_sweep

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.errors import SweepFailed, UserError
from search.policy.making import make_policy
from search.study.opening import open_study
from search.tracking.repair.sweep_repair import sync_sweep
from search.tracking.repair.view_repair import Repairs
from search.tracking.store import TrackingStore


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, tracking_uri: str, local_ray: None) -> SweepConfig:
    """A finished sweep with complete and pruned trials; each test leaves it exact."""
    folder = tmp_path_factory.mktemp("sync")
    config = scripted_sweep(
        sweeps_dir=folder / "sweeps", tracking_uri=tracking_uri, name="synced", pruner="asha"
    )
    assert run_sweep(config, report_only).succeeded
    assert sync(config) == Repairs(), "what the driver wrote is exact"
    return config


def sync(config: SweepConfig, tracking_uri: str | None = None) -> Repairs:
    return sync_sweep(config.name, config.sweeps_dir, tracking_uri)


def delete_two_runs(view: View) -> None:
    for run in view.trials[:2]:
        view.client.delete_run(run.info.run_id)


def add_a_point(view: View) -> None:
    view.client.log_metric(view.trials[1].info.run_id, "val_acc", 0.99, step=77)


def move_a_point(view: View) -> None:
    """The same step once more, with another value: a jog in the chart."""
    view.client.log_metric(view.trials[1].info.run_id, "val_acc", 0.5, timestamp=1, step=1)


def double_a_run(view: View) -> None:
    copy_of(view, view.trials[2], dict(view.trials[2].data.params))


def set_wrong_status(view: View) -> None:
    view.client.set_terminated(view.trials[3].info.run_id, "FAILED")


def leave_running(view: View) -> None:
    view.client.update_run(view.trials[3].info.run_id, status="RUNNING")


def overwrite_a_tag(view: View) -> None:
    view.client.set_tag(view.trials[0].info.run_id, "sweep.state", "lost")


def replace_by_an_empty_run(view: View) -> None:
    """As after a database that came back without the points."""
    run = view.trials[4]
    view.client.delete_run(run.info.run_id)
    copy_of(view, run, {})


def replace_by_a_run_with_other_parameters(view: View) -> None:
    """As after a study that lost its last trials to a power cut; MLflow lets nobody change a parameter."""
    run = view.trials[4]
    view.client.delete_run(run.info.run_id)
    copy_of(view, run, dict.fromkeys(run.data.params, "12345"))


def end_the_sweep_run(view: View) -> None:
    view.client.set_terminated(view.parent.info.run_id, "KILLED")


def copy_of(view: View, run: Run, params: dict[str, str]) -> None:
    tags = {**run.data.tags}
    made = view.client.create_run(run.info.experiment_id, run.info.start_time, tags, run.info.run_name)
    points = [Metric("val_acc", 0.1, run.info.start_time, 1)] if params == run.data.params else []
    view.client.log_batch(made.info.run_id, points, [Param(*item) for item in params.items()])


VANDALISM: list[tuple[Callable[[View], None], Repairs]] = [
    (delete_two_runs, Repairs(created=2)),
    (add_a_point, Repairs(replaced=1)),
    (move_a_point, Repairs(replaced=1)),
    (set_wrong_status, Repairs(completed=1)),
    (leave_running, Repairs(completed=1)),
    (overwrite_a_tag, Repairs(completed=1)),
    (replace_by_an_empty_run, Repairs(completed=1)),
    (replace_by_a_run_with_other_parameters, Repairs(replaced=1)),
    (end_the_sweep_run, Repairs(completed=1)),
]


@pytest.mark.parametrize(("vandalise", "needed"), VANDALISM, ids=[v.__name__ for v, _ in VANDALISM])
def test_whatever_was_done_to_the_view_is_repaired(
    swept: SweepConfig, vandalise: Callable[[View], None], needed: Repairs
) -> None:
    vandalise(view_of(swept))
    assert sync(swept) == needed
    assert sync(swept) == Repairs()
    check_view(swept)


def test_a_second_run_of_a_trial_is_removed(swept: SweepConfig) -> None:
    double_a_run(view_of(swept))
    found = sync(swept)
    assert found.duplicates == 1
    assert dataclasses.replace(found, duplicates=0, completed=0, replaced=0) == Repairs()
    assert sync(swept) == Repairs()
    check_view(swept)


def test_the_script_rebuilds_the_view_in_another_store(swept: SweepConfig, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'other.db'}"
    arguments = [swept.name, "--sweeps-dir", str(swept.sweeps_dir), "--tracking-uri", elsewhere]
    told = run_script("sync", *arguments)
    assert told.exit_code == 0, told.output
    assert f"{swept.trials + 1} created, 0 completed" in told.stdout
    there = swept.model_copy(update={"tracking_uri": elsewhere})
    check_view(there)
    again = run_script("sync", *arguments)
    assert "MLflow is exact, nothing to do" in again.stdout
    nothing = {"sweep": swept.name, "created": 0, "completed": 0, "replaced": 0, "duplicates": 0}
    assert json.loads(run_script("sync", *arguments, "--json").stdout) == nothing
    deleted = view_of(there).client.search_runs(["1"], run_view_type=ViewType.DELETED_ONLY)
    assert not list(deleted)


def test_no_run_is_asked_for_by_itself(swept: SweepConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for a sweep's runs has told all of them but the histories of their metrics."""
    monkeypatch.setattr(MlflowClient, "get_run", lambda *_: pytest.fail("a call for each run"))
    assert sync(swept) == Repairs()


def test_a_refusal_is_not_told_as_something_to_be_tried_again(swept: SweepConfig, tmp_path: Path) -> None:
    elsewhere = TrackingStore(f"sqlite:///{tmp_path / 'other.db'}", swept.experiment)
    elsewhere.client.delete_experiment(elsewhere.experiment_id)
    with pytest.raises(SweepFailed, match=r"is in the trash of .* another `experiment`$"):
        sync(swept, elsewhere.uri)


def test_it_is_refused_while_a_driver_is_at_work(swept: SweepConfig) -> None:
    with (
        open_study(swept, make_policy(swept)),
        pytest.raises(UserError, match=r"is being driven on host .*, pid \d+"),
    ):
        sync(swept)


def test_a_grid_that_is_exhausted_and_a_sweep_that_was_stopped_are_exact(make_sweep: MakeSweep) -> None:
    grid = make_sweep(name="few", trials=2)
    assert run_sweep(grid, report_only).succeeded
    assert sync(grid.model_copy(update={"trials": 2})) == Repairs()
    failing = make_sweep(name="failing", trials=9, settings={"faults": {"0": "exception"}}, first_failures=1)
    assert not run_sweep(failing).succeeded
    assert sync(failing) == Repairs()
    check_view(failing, status="FAILED")
