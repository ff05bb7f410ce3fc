"""What is counted after kills: epochs trained twice, trials lost, decisions, points in MLflow."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import optuna
import sqlalchemy
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.policy.pruners import make_pruner
from search.results.summary import summarise
from search.study.database import opened_storage
from search.study.optuna_private import storage_id
from search.study.records import Epoch, TrialRecord
from search.tracking.repair.view_repair import sync_view
from search.tracking.store import TrackingStore

# The rows are numbered as they are committed, and a repeated report changes nothing.
_REPORTS = (
    "SELECT trial_id, step, intermediate_value FROM trial_intermediate_values "
    "ORDER BY trial_intermediate_value_id"
)
TrialEpoch = tuple[int, int]
"""An epoch of a trial, by their numbers."""


@dataclass(frozen=True)
class Kill:
    """One kill: how, how many epochs had begun by then, and which ones the study knew."""

    kind: str
    begun: int
    known: set[TrialEpoch]


@dataclass
class Count:
    """What a kind of kill did, over all its kills."""

    kills: int = 0
    finished_epochs_trained_again: int = 0  # must stay 0
    epochs_trained_twice: int = 0  # in flight at the kill
    most_after_one_kill: int = 0  # of those; at most one for each running trial


@dataclass
class Outcome:
    """What the sweeps ended with; all of it but what is counted must stay 0."""

    sweeps: int = 0
    trials: int = 0
    trials_lost: int = 0  # missing, too many, or with a gap in their epochs
    decisions: int = 0  # of pruners, to go on or to prune
    decisions_wrong: int = 0  # lost, made twice, or other than the reports before them say
    hand_outs: int = 0  # decisions to begin or to thaw a trial
    compared: int = 0  # trials of sweeps with one worker, with those of one that nobody disturbs
    unlike_undisturbed: int = 0  # of those, in parameters, hand-outs, state or any bit of a metric
    zombies: int = 0  # trials RUNNING at the end
    mlflow_duplicates: int = 0  # second runs of a trial
    mlflow_repairs: int = 0  # runs or points that are missing or differ
    loader_workers_orphaned: int = 0  # whose trial's process was killed
    longest_orphaned_s: float = 0.0  # until the last of them had ended
    processes_left: int = 0
    files_left: int = 0


def count_epochs(epochs: Sequence[TrialEpoch], kills: Sequence[Kill], counts: dict[str, Count]) -> None:
    """Put each epoch that began a second time down to the kill before it."""
    for kill, following in itertools.zip_longest(kills, kills[1:]):
        ends = following.begun if following else len(epochs)
        seen = set(epochs[: kill.begun])
        twice = 0
        for epoch in epochs[kill.begun : ends]:
            twice += epoch in seen
            seen.add(epoch)
        count = counts[kill.kind]
        count.kills += 1
        count.epochs_trained_twice += twice
        count.most_after_one_kill = max(count.most_after_one_kill, twice)
        count.finished_epochs_trained_again += sum(epoch in kill.known for epoch in epochs[kill.begun :])


def count_sweep(config: SweepConfig, outcome: Outcome) -> None:
    """Count what a sweep ended with, in its study and in MLflow."""
    summary = summarise(config.name, config.sweeps_dir)
    records = summary.records
    outcome.sweeps += 1
    outcome.trials += len(records)
    outcome.hand_outs += sum(len(record.hand_outs) for record in records)
    outcome.zombies += sum(not record.state.is_finished() for record in records)
    wanted = len(records) if config.budget_epochs else config.most_trials
    missing = set(range(wanted)) ^ {record.number for record in records}
    gaps = [record.number for record in records if _has_gap(record)]
    if missing or gaps:
        print(
            f"{len(records)} trials: {sorted(missing)} lost, {gaps} with a gap", file=sys.stderr, flush=True
        )
    outcome.trials_lost += len(missing) + len(gaps)
    decisions = judged_again(config)
    outcome.decisions += len(decisions)
    outcome.decisions_wrong += sum(not right for right in decisions)
    store = TrackingStore(config.tracking_uri, config.experiment)
    repairs = sync_view(store, config, summary.sweep_id, records)
    if not repairs.none:
        print(f"{len(records)} of {config.most_trials} trials: {repairs}", file=sys.stderr, flush=True)
    outcome.mlflow_duplicates += repairs.duplicates
    outcome.mlflow_repairs += repairs.created + repairs.completed + repairs.replaced


def count_differences(config: SweepConfig, undisturbed: SweepConfig, outcome: Outcome) -> None:
    """Count the trials that ended otherwise than in a sweep that nobody disturbed."""
    ends = list(itertools.zip_longest(_ends(config), _ends(undisturbed)))
    outcome.compared += len(ends)
    outcome.unlike_undisturbed += sum(one != other for one, other in ends)


def judged_again(config: SweepConfig) -> list[bool]:
    """Whether each decision of a sweep's pruner is what the reports up to it lead to, in their order."""
    with opened_storage(config.storage_url) as storage:
        trials = {storage_id(trial): trial for trial in storage.get_all_trials(1, deepcopy=False)}
        with storage.engine.connect() as connection:
            reports = connection.execute(sqlalchemy.text(_REPORTS)).all()
    pruner = make_pruner(config.pruner, config.max_epochs, config.goal, config.pruner_args)
    study = optuna.create_study(study_name=config.name, direction=config.direction, pruner=pruner)
    replayed = {trial_id: study.ask() for trial_id in sorted(trials)}
    right = []
    for trial_id, epoch, value in reports:
        replayed[trial_id].report(value, epoch)
        if epoch < config.max_epochs and config.pruner != "promotion":
            trial = trials[trial_id]
            pruned = trial.state is TrialState.PRUNED and epoch == trial.last_step
            right.append(replayed[trial_id].should_prune() == pruned)
    return right


def known_epochs(config: SweepConfig, before: float) -> set[TrialEpoch]:
    """The epochs that the study holds and that were reported before that time."""
    if not _has_study(config):  # killed before that
        return set()
    records = summarise(config.name, config.sweeps_dir).records
    epochs = ((record.number, epoch) for record in records for epoch in record.epochs)
    return {(number, epoch.epoch) for number, epoch in epochs if epoch.timestamp_ms < 1000 * before}


def _has_study(config: SweepConfig) -> bool:
    if not (config.folder / "study.db").exists():
        return False
    with opened_storage(config.storage_url) as storage:
        # A study is written with its `sweep_id` as the second step.
        return any("sweep_id" in study.user_attrs for study in optuna.get_all_study_summaries(storage))


def _has_gap(record: TrialRecord) -> bool:
    return [epoch.epoch for epoch in record.epochs] != list(range(1, len(record.epochs) + 1))


def _ends(config: SweepConfig) -> Iterator[tuple[object, ...]]:
    for each in summarise(config.name, config.sweeps_dir).records:
        measured = [_measured(epoch) for epoch in each.epochs]
        yield each.params, each.state, each.value, each.stop_reason, each.hand_outs, measured


def _measured(epoch: Epoch) -> tuple[object, ...]:
    """What an epoch measured but its time; equal floats are equal to the bit."""
    metrics = {name: value for name, value in epoch.metrics.items() if name != "epoch_s"}
    return epoch.epoch, metrics, epoch.steps
