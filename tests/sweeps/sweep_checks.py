"""What is counted after a sweep: the study, and MLflow's view of it point by point."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric, Run
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.results.leaderboard import best_so_far
from search.results.summary import summarise
from search.study.opening import opened_study
from search.study.records import TrialRecord

STATUSES = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED", TrialState.FAIL: "FAILED"}


@dataclass(frozen=True)
class View:
    """A sweep's runs in MLflow."""

    client: MlflowClient
    parent: Run
    trials: list[Run]  # by trial number

    def points(self, run: Run, metric: str) -> list[tuple[int, float, int]]:
        """Step, value and timestamp of every point that was ever logged."""
        history: list[Metric] = self.client.get_metric_history(run.info.run_id, metric)
        return sorted((point.step, point.value, point.timestamp) for point in history)


def records_in(config: SweepConfig) -> list[TrialRecord]:
    """The trials as the study on disk has them."""
    return summarise(config.name, config.sweeps_dir).records


def check_a_read_amid_writes(config: SweepConfig, write: Callable[[], object]) -> None:
    """A reader, while epochs are written between its statements, has each epoch whole or not at all."""

    def before(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if re.search("SELECT.*FROM trial_(user_attributes|intermediate_values)", statement, re.DOTALL):
            write()

    with opened_study(config) as study:
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", before)
        try:
            (trial,) = study.get_trials(deepcopy=False)
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", before)
        (after,) = study.get_trials(deepcopy=False)
    packed = trial.user_attrs.get("epochs:000", [])
    assert [each["epoch"] for each in packed] == sorted(trial.intermediate_values)
    assert len(after.intermediate_values) > len(trial.intermediate_values), "epochs were written"
    assert len(records_in(config)[0].epochs) == len(after.intermediate_values)


def view_of(config: SweepConfig) -> View:
    """The one parent run of a sweep, and its trials' runs."""
    client = MlflowClient(config.tracking_uri)
    experiment = client.get_experiment_by_name(config.experiment)
    assert experiment is not None
    sweep_id = summarise(config.name, config.sweeps_dir).sweep_id
    runs = list(client.search_runs([experiment.experiment_id], f"tags.`sweep.id` = '{sweep_id}'"))
    parents = [run for run in runs if run.data.tags["sweep.kind"] == config.kind]
    assert len(parents) == 1, "a sweep has exactly one parent run"
    trials = [run for run in runs if run is not parents[0]]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} <= {parents[0].info.run_id}
    trials.sort(key=lambda run: int(run.data.tags["optuna.trial_number"]))
    return View(client, parents[0], trials)


def check_study(config: SweepConfig, trials: int) -> list[TrialRecord]:
    """Exactly so many trials, all of them ended, each with its epochs counted without a gap."""
    records = records_in(config)
    assert [record.number for record in records] == list(range(trials))
    for record in records:
        assert record.state.is_finished(), record
        assert [epoch.epoch for epoch in record.epochs] == list(range(1, len(record.epochs) + 1))
        if record.state is TrialState.COMPLETE:
            assert len(record.epochs) == config.max_epochs
            assert record.value == record.epochs[-1].metrics[config.metric]
    return records


def check_view(config: SweepConfig, status: str = "FINISHED") -> View:
    """MLflow shows just what the study holds: each run, status, tag and point once."""
    records, view = records_in(config), view_of(config)
    assert len(view.trials) == len(records)
    assert [run.info.run_name for run in view.trials] == [record.key for record in records]
    for record, run in zip(records, view.trials, strict=True):
        _check_trial(config, view, record, run)
    assert view.parent.info.status == status
    assert view.parent.info.run_name == config.name
    history = best_so_far(records, config.goal)
    expected = [(best.number, best.value, best.ended_ms) for best in history]
    assert view.points(view.parent, f"best_{config.metric}") == expected
    return view


def _check_trial(config: SweepConfig, view: View, record: TrialRecord, run: Run) -> None:
    tags = run.data.tags
    assert run.info.status == STATUSES[record.state], record
    assert (run.info.start_time, run.info.end_time) == (record.started_ms, record.ended_ms)
    assert tags["sweep.state"] == record.outcome
    assert tags["sweep.stop_reason"] == record.stop_reason
    assert tags["sweep.trial_key"] == f"{config.name}/{record.number}"
    for name, value in record.params.items():
        assert run.data.params[name] == (f"{value:.6g}" if isinstance(value, float) else str(value))
    assert not set(run.data.params) & set(config.space.fixed), "what is fixed stands on the parent run"
    names = {name for epoch in record.epochs for name in epoch.metrics}
    for name in names:
        expected = [(e.epoch, e.metrics[name], e.timestamp_ms) for e in record.epochs if name in e.metrics]
        assert view.points(run, name) == expected, f"{record.key}: {name}"
    final = f"final_{config.metric}"
    if record.epochs:
        last = record.epochs[-1]
        assert view.points(run, final) == [(0, last.metrics[config.metric], last.timestamp_ms)]
        names.add(final)
    for name in {name for epoch in record.epochs for name in epoch.steps}:
        by_step = [
            (step, value, e.timestamp_ms) for e in record.epochs for step, value in e.steps.get(name, ())
        ]
        assert view.points(run, name) == by_step, f"{record.key}: {name}"
        names.add(name)
    assert set(run.data.metrics) == names
