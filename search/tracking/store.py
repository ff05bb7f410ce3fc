"""What a sweep looks like in an MLflow tracking store.

Every write is idempotent: runs are found again by tag before one is created, a repeated point carries
its first timestamp and so collapses into one, and a trial's status is written last, so a run with its
end status is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.tracking.context.registry import resolve_tags
from optuna.trial import TrialState

from search.config.credentials import hide_in
from search.config.sweep_config import SweepConfig
from search.study.failpoints import durable
from search.study.records import Outcome, TrialRecord
from search.text import encodable
from search.tracking.answering import answering
from search.tracking.conventions import (
    STATUSES,
    TAG_LETTERS,
    Point,
    full_key,
    log_names,
    state_tags,
    sweep_params,
    sweep_tags,
    trial_params,
    trial_points,
    trial_tags,
)
from search.tracking.experiment import open_experiment
from search.tracking.pages.saved_views import charts_view, leaderboard_view
from search.tracking.uri import absolute_uri

_METRICS_A_CALL = 800  # MLflow allows 1000 things a call, of which 100 parameters and 100 tags


@dataclass(frozen=True)
class TrialRun:
    """A trial's run as stored by MLflow.

    Example:
        >>> TrialRun("0a1b", state="running").state
        'running'
    """

    run_id: str
    state: str  # an `Outcome`; empty if somebody took its tag away
    hand_outs: str = ""  # of one that is frozen


@dataclass(frozen=True)
class SweepPage:
    """Where MLflow shows a sweep.

    Example:
        >>> SweepPage("http://127.0.0.1:5000", experiment_id="1", sweep_run_id="0a1b").experiment_id
        '1'
    """

    tracking_uri: str
    experiment_id: str
    sweep_run_id: str


class TrackingStore:
    """One experiment of a tracking store, and what a sweep writes there.

    Args:
        uri: of the tracking store.
        experiment: its name.
        create: make store and experiment if they are not there; else nothing is made.

    Raises:
        TrackingDown, TrackingRefused: as `open_experiment`.

    Example:
        >>> store = TrackingStore("sqlite:///mlflow.db", "digits")
        >>> store.find_run(sweep__name="night") is None
        True
    """

    def __init__(self, uri: str, experiment: str, *, create: bool = True) -> None:
        self.uri = absolute_uri(uri)
        opened = open_experiment(self.uri, experiment, create=create)
        self.client, self.experiment_id = opened.client, opened.id

    def find_run(self, **tags: str) -> Run | None:
        """The oldest run that carries these tags (dots written as double underscores)."""
        wanted = " and ".join(f"tags.`{name.replace('__', '.')}` = '{value}'" for name, value in tags.items())
        with answering(self.uri):
            runs = self.client.search_runs(
                [self.experiment_id], wanted, max_results=1, order_by=["attributes.start_time"]
            )
        return runs[0] if runs else None

    def open_sweep(self, config: SweepConfig, sweep_id: str, started_ms: int) -> str:
        """The id of the sweep's parent run, RUNNING, with the settings that all trials share."""
        existing = self.find_run(sweep__id=sweep_id, sweep__kind=config.kind)
        with answering(self.uri):
            if existing is not None:
                run_id = str(existing.info.run_id)
                self.client.update_run(run_id, status="RUNNING")
            else:
                run = self._create(config.name, started_ms, sweep_tags(config, sweep_id))
                run_id = str(run.info.run_id)
            self._log(run_id, params=sweep_params(config))
            self.client.log_dict(run_id, config.shown(), "config.json")
            self._log_dataset(run_id, config)
            self._write_views(config, run_id)
        return run_id

    def trial_runs(self, sweep_run_id: str) -> dict[str, TrialRun]:
        """The runs of a sweep's trials, by trial key."""
        runs: dict[str, TrialRun] = {}
        for run in self.children(sweep_run_id):
            tags = run.data.tags
            state, hand_outs = tags.get("sweep.state", ""), tags.get("sweep.hand_outs", "")
            # The status is the last thing written, so one that is RUNNING may lack what comes before; tags
            # come after the points.
            if run.info.status == "RUNNING" and state != Outcome.FROZEN:
                state = "running"
            runs[tags["sweep.trial_key"]] = TrialRun(str(run.info.run_id), state, hand_outs)
        return runs

    def children(self, sweep_run_id: str) -> list[Run]:
        """The runs of trials below a sweep's run, newest first; what else a user nests there is his own."""
        wanted, token = f"tags.`mlflow.parentRunId` = '{sweep_run_id}'", None
        runs: list[Run] = []
        while True:
            with answering(self.uri):
                page = self.client.search_runs([self.experiment_id], wanted, page_token=token)
            runs += [run for run in page if "sweep.trial_key" in run.data.tags]
            token = page.token
            if not token:
                return runs

    def delete_run(self, run_id: str) -> None:
        """Move a run to MLflow's trash."""
        with answering(self.uri):
            self.client.delete_run(run_id)

    def add_files(self, run_id: str, files: Iterable[Path], folder: str | None) -> None:
        """Keep files among a run's artifacts, in a folder of this name if there is one."""
        with answering(self.uri):
            for file in files:
                self.client.log_artifact(run_id, str(file), folder)

    def find_trial(self, config: SweepConfig, sweep_id: str, number: int) -> str | None:
        """The id of a trial's run, if there is one."""
        run = self.find_run(sweep__trial_key=full_key(config.name, number), sweep__id=sweep_id)
        return None if run is None else str(run.info.run_id)

    def create_trial(self, config: SweepConfig, sweep_id: str, sweep_run_id: str, record: TrialRecord) -> str:
        """The id of a new run for a trial that has none."""
        tags = trial_tags(config, sweep_id, sweep_run_id, record)
        with answering(self.uri), durable("run"):
            return str(self._create(record.key, record.started_ms, tags).info.run_id)

    def write_trial(self, config: SweepConfig, run_id: str, record: TrialRecord, epochs_written: int) -> None:
        """Bring a trial's run up to its record; the first `epochs_written` epochs are there already."""
        points = _metrics(trial_points(config, record, epochs_written))
        params = {} if epochs_written else trial_params(config, record)
        ended = record.state is not TrialState.RUNNING
        with answering(self.uri):
            if not epochs_written:  # what may be there from before is accepted again
                self._log_dataset(run_id, config)
            with durable("points"):
                self._log(run_id, points, params, state_tags(record))
            if ended:
                with durable("status"):
                    self._end(run_id, STATUSES[record.state], record.ended_ms)

    def write_sweep(self, run_id: str, points: Iterable[Point], note: str) -> None:
        """Add points to the sweep's run and renew its summary."""
        with answering(self.uri):
            self._log(run_id, _metrics(points), tags={"mlflow.note.content": note[:TAG_LETTERS]})

    def end_sweep(self, run_id: str, status: str, state: str, ended_ms: int) -> None:
        """Set the parent run's end: it is opened again by a resume."""
        with answering(self.uri):
            self._log(run_id, tags={"sweep.state": state})
            self._end(run_id, status, ended_ms)

    def _create(self, name: str, started_ms: int, tags: dict[str, str]) -> Run:
        resolved = {key: hide_in(encodable(value)) for key, value in resolve_tags().items()}
        return self.client.create_run(self.experiment_id, started_ms, {**resolved, **tags}, name)

    def _end(self, run_id: str, status: str, ended_ms: int | None) -> None:
        self.client.set_terminated(run_id, status, ended_ms)

    def _log(
        self,
        run_id: str,
        points: Sequence[Metric] = (),
        params: dict[str, str] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """In as few calls as MLflow allows: parameters in the first, tags, which tell an end, in the last."""
        starts = range(0, len(points), _METRICS_A_CALL) or range(1)
        for start in starts:
            first, last = start == starts[0], start == starts[-1]
            self.client.log_batch(
                run_id,
                points[start : start + _METRICS_A_CALL],
                [Param(name, value) for name, value in (params or {}).items()] if first else [],
                [RunTag(name, value) for name, value in (tags or {}).items()] if last else [],
                synchronous=True,
            )

    def _log_dataset(self, run_id: str, config: SweepConfig) -> None:
        note = config.dataset
        if note is None:
            return
        source = json.dumps({"name": note.name})
        dataset = Dataset(note.name, note.digest[:36], "local", source, profile=json.dumps(note.sizes))
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])

    def _write_views(self, config: SweepConfig, run_id: str) -> None:
        """The saved views of the sweep, two tags of the experiment in the UI's own format."""
        names = list(config.space.parameters)
        logs = list(log_names(config).values())
        order = f"final_{config.metric}", not config.goal.maximises
        views = [
            leaderboard_view(run_id, names, *order, name=f"{config.name}: leaderboard"),
            charts_view(run_id, names + logs, *order, name=f"{config.name}: charts"),
        ]
        for key, value in views:
            self.client.set_experiment_tag(self.experiment_id, key, value)


def _metrics(points: Iterable[Point]) -> list[Metric]:
    return [Metric(point.name, point.value, point.timestamp_ms, point.step) for point in points]
