"""How a sweep's words and values are written in MLflow: states, tags, parameters, colours."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.results.columns import apart
from search.results.leaderboard import Best
from search.study.records import Outcome, TrialRecord

IMPORTANCES = "importances/"  # how the names of these metrics begin: a section of their own in the UI
TAG_LETTERS = 5000  # of a tag or note; MLflow takes 8,000 bytes
# The words of mlflow.optuna, so that both kinds of sweep read alike.
STATUSES = {
    TrialState.RUNNING: "RUNNING",
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}


@dataclass(frozen=True)
class Point:
    """One value of a metric.

    Example:
        >>> Point("val_acc", step=3, timestamp_ms=1_000, value=0.75).value
        0.75
    """

    name: str
    step: int
    timestamp_ms: int
    value: float


def trial_points(config: SweepConfig, record: TrialRecord, skip: int = 0) -> list[Point]:
    """A trial's metrics as MLflow shows them, without its first `skip` epochs."""
    final = f"final_{config.metric}"
    # The UI's comparison of runs opens on the metric that a run got first.
    points = [
        Point(name, epoch.epoch, epoch.timestamp_ms, epoch.metrics[key])
        for epoch in record.epochs[skip:]
        for key, name in sorted(
            apart("metric", epoch.metrics, [final]).items(), key=lambda pair: pair[0] != config.metric
        )
    ]
    points += [
        Point(name, step, epoch.timestamp_ms, value)
        for epoch in record.epochs[skip:]
        for key, name in apart("step", epoch.steps, [final]).items()
        for step, value in epoch.steps[key]
    ]
    if record.state is not TrialState.RUNNING and record.epochs:
        last = record.epochs[-1]
        # A single step 0: the UI draws such a metric as sorted bars, the leaderboard.
        points.append(Point(final, 0, last.timestamp_ms, last.metrics[config.metric]))
    return points


def sweep_points(config: SweepConfig, history: Iterable[Best]) -> list[Point]:
    """The history of the best, by trial number."""
    return [Point(f"best_{config.metric}", best.number, best.ended_ms, best.value) for best in history]


def trial_params(config: SweepConfig, record: TrialRecord) -> dict[str, str]:
    """A trial's sampled parameters as MLflow shows them, with log10 of those sampled on a log scale."""
    shown, logs = {}, log_names(config)
    for name, value in record.params.items():
        shown[name] = f"{value:.6g}" if isinstance(value, float) else str(value)
        if name in logs:
            shown[logs[name]] = f"{math.log10(value):.4g}"  # parallel coordinates have no log axis
    return shown


def colour(number: int) -> str:
    """A colour for a trial's lines and dots; the UI's own, made from the run's id, collide."""
    hue = number * (math.sqrt(5) - 1) / 2 % 1  # golden-ratio steps keep neighbours apart
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.7, 0.75))
    return f"#{red:02x}{green:02x}{blue:02x}"


def log_names(config: SweepConfig) -> dict[str, str]:
    """What the logarithm of each float that is sampled on a log scale is called: `lr_log10` of `lr`.

    None where the space has a parameter of that name itself.
    """
    parameters = config.space.parameters
    return {
        name: logarithm
        for name, distribution in parameters.items()
        if isinstance(distribution, FloatDistribution)
        and distribution.log
        and (logarithm := f"{name}_log10") not in parameters
    }


def importance_points(importances: Mapping[str, float], trials: int, timestamp_ms: int) -> list[Point]:
    """The parameters' importances by how many complete trials they are of, in a section of their own."""
    return [Point(f"{IMPORTANCES}{name}", trials, timestamp_ms, share) for name, share in importances.items()]


def sweep_params(config: SweepConfig) -> dict[str, str]:
    """The settings that all trials share: they stand on the parent run, for constants spoil the charts."""
    shared: dict[str, Any] = {
        "space": config.space.name,
        "sampler": config.sampler,
        "pruner": config.pruner,
        "max_epochs": config.max_epochs,
        "seed": config.seed,
        "objective": config.objective,
    }
    fixed = apart("param", config.space.fixed, shared)
    shared |= {name: config.space.fixed[key] for key, name in fixed.items()}
    return {name: str(value) for name, value in shared.items()}


def sweep_tags(config: SweepConfig, sweep_id: str) -> dict[str, str]:
    """What marks a sweep's parent run."""
    own = {"sweep.id": sweep_id, "sweep.kind": config.kind, "sweep.name": config.name}
    return config.tags | own


def trial_tags(config: SweepConfig, sweep_id: str, sweep_run_id: str, record: TrialRecord) -> dict[str, str]:
    """What marks a trial's run when it starts."""
    return {
        "mlflow.parentRunId": sweep_run_id,
        "mlflow.runColor": colour(record.number),
        "sweep.id": sweep_id,
        "sweep.kind": f"{config.kind}-trial",
        "sweep.name": config.name,
        "sweep.trial_key": full_key(config.name, record.number),
        "sweep.state": Outcome.RUNNING.value,
        "optuna.trial_number": str(record.number),
        **({} if record.retry_of is None else {"sweep.retry_of": str(record.retry_of)}),
    }


def state_tags(record: TrialRecord) -> dict[str, str]:
    """What a trial's run is marked with as its state changes, beside MLflow's status.

    That is RUNNING for one that is frozen too, and the UI shows KILLED and FAILED alike: the tags tell them
    apart. One that runs and was never frozen has those that it started with.
    """
    ended = record.state is not TrialState.RUNNING
    tags = {"sweep.state": record.outcome.value} if ended or record.hand_outs else {}
    if record.hand_outs:
        tags["sweep.hand_outs"] = hand_outs_text(record)
    if ended:
        tags["sweep.stop_reason"] = str(record.stop_reason or "")
    if ended and record.error:
        tags["sweep.error"] = record.error[-TAG_LETTERS:]
    return tags


def hand_outs_text(record: TrialRecord) -> str:
    """Up to which epoch a trial was handed out each time, and why: `to 1: new; to 3: 2nd of 9 at epoch 1`."""
    outs = (f"to {hand_out.until or 'the end'}: {hand_out.why}" for hand_out in record.hand_outs)
    return "; ".join(outs)[:TAG_LETTERS]


def full_key(sweep: str, number: int) -> str:
    """What a trial's run is found by: `<sweep>/<number>`."""
    return f"{sweep}/{number}"
