"""One sweep as its study tells it: read while a driver may be writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from search.config.sweep_config import SweepConfig
from search.results.columns import Columns
from search.results.cost import Cost
from search.results.leaderboard import Savings, cause, counts, importances, latest, savings
from search.results.outlook import outlook
from search.study.opening import opened_study
from search.study.reading import records_of
from search.study.records import TrialRecord, ranked

# A row's own columns, whatever a sweep's parameters and metric are called.
_ROW = ("sweep", "trial", "state", "stop_reason", "epochs", "thawed", "train_s", "error", "mlflow_run_id")


@dataclass(frozen=True)
class SweepSummary:
    """One sweep as its study tells it.

    Example:
        >>> summary = summarise("night", Path("sweeps"))
        >>> [(record.key, record.value) for record in summary.leaderboard]
        [('trial-001', 0.8), ('trial-000', 0.5)]
        >>> summary.savings.epochs_saved
        1
    """

    config: SweepConfig
    sweep_id: str
    records: list[TrialRecord]
    importances: dict[str, float]  # by parameter, largest first; empty with too few trials
    savings: Savings
    launches: list[dict[str, Any]] = field(default_factory=list)  # what it ran with, each time

    @property
    def leaderboard(self) -> list[TrialRecord]:
        """The COMPLETE trials, best first."""
        return ranked(self.records, self.config.goal)

    def to_json(self, top: int, all_trials: bool = False) -> dict[str, Any]:
        """The summary as plain JSON, with the best `top` trials, and with all of them by epoch or None."""
        return {
            "sweep": self.config.name,
            "metric": self.config.metric,
            "direction": self.config.direction,
            "trials": {outcome: n for outcome, n in counts(self.records).items() if n},
            "leaderboard": [trial_json(record, self.config.metric) for record in self.leaderboard[:top]],
            "importances": self.importances,
            "pruning": vars(self.savings),
            "cost": None if (cost := Cost.of(self.records)) is None else vars(cost),
            "outlook": None if (ahead := outlook(self.config, self.records)) is None else vars(ahead),
            "all_trials": [
                trial_json(record, self.config.metric) | _curve_json(record) for record in self.records
            ]
            if all_trials
            else None,
        }


def summarise(name: str, sweeps_dir: Path) -> SweepSummary:
    """Read a sweep's study; it may be running.

    Raises:
        UserError: there is no such sweep, or its storage does not answer.
    """
    config = SweepConfig.load(name, sweeps_dir)
    with opened_study(config) as study:
        return summary_of(config, study)


def summary_of(config: SweepConfig, study: optuna.Study) -> SweepSummary:
    """Sum up a sweep's study."""
    records = records_of(study)
    return SweepSummary(
        config=config,
        sweep_id=str(study.user_attrs["sweep_id"]),
        records=records,
        importances=importances(study),
        savings=savings(records, config.max_epochs),
        launches=study.user_attrs.get("launches", []),
    )


def trial_row(config: SweepConfig, record: TrialRecord, among: Sequence[SweepConfig] = ()) -> dict[str, Any]:
    """A trial as one flat row, for CSV and pandas.

    Its metric is its value, or what it last reported; its error is the line that names it.

    Args:
        config: of its sweep.
        record: the trial.
        among: the sweeps whose trials stand in one table, if there are others.
    """
    columns = Columns.of(among or (config,), _ROW)
    return {
        "sweep": config.name,
        "trial": record.number,
        "state": record.outcome,
        "stop_reason": record.stop_reason,
        columns.metrics[config.metric]: latest(record, config.metric),
        "epochs": len(record.epochs),
        "thawed": record.thawed,
        "train_s": round(record.train_seconds, 3),
        **{columns.params[name]: record.params.get(name) for name in config.space.parameters},
        "error": None if record.error is None else cause(record.error),
        "mlflow_run_id": record.run_id,
    }


def trial_json(record: TrialRecord, metric: str) -> dict[str, Any]:
    """A trial as plain JSON: the same as a row, with its parameters by name and its metric as `value`."""
    return {
        "trial": record.number,
        "state": record.outcome.value,
        "stop_reason": None if record.stop_reason is None else record.stop_reason.value,
        "value": latest(record, metric),
        "epochs": len(record.epochs),
        "thawed": record.thawed,
        "train_s": round(record.train_seconds, 3),
        "params": dict(record.params),
        "error": None if record.error is None else cause(record.error),
        "mlflow_run_id": record.run_id,
    }


def _curve_json(record: TrialRecord) -> dict[str, Any]:
    """Its epochs and, where trials freeze, up to which epoch it was handed out and why."""
    return {
        "history": [{"epoch": epoch.epoch, "metrics": dict(epoch.metrics)} for epoch in record.epochs],
        "hand_outs": [hand_out.to_json() for hand_out in record.hand_outs],
    }
