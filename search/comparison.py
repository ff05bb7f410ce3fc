"""Sweeps side by side, from their studies: leaderboard, importances, what pruning saved."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from search.columns import Columns, apart
from search.config import SweepConfig
from search.errors import UserError
from search.ledger import records_of
from search.records import TrialRecord, ranked
from search.results import Savings, counts, importances, savings
from search.study import existing_study
from search.tracking.uri import absolute_uri, printable_uri

# A row's own columns, whatever a sweep's parameters and metric are called.
_ROW = ("sweep", "trial", "state", "stop_reason", "epochs", "train_s", "mlflow_run_id")


@dataclass(frozen=True)
class SweepSummary:
    """One sweep as its study tells it."""

    config: SweepConfig
    sweep_id: str
    records: list[TrialRecord]
    importances: dict[str, float]  # by parameter, largest first; empty with too few trials
    savings: Savings

    @property
    def leaderboard(self) -> list[TrialRecord]:
        """The COMPLETE trials, best first."""
        return ranked(self.records, self.config.direction)

    def to_json(self, top: int, all_trials: bool = False) -> dict[str, Any]:
        """The summary as plain JSON, with the best `top` trials, or also with all of them by epoch."""
        told = {
            "sweep": self.config.name,
            "metric": self.config.metric,
            "direction": self.config.direction,
            "trials": {outcome: n for outcome, n in counts(self.records).items() if n},
            "leaderboard": [trial_row(self, record) for record in self.leaderboard[:top]],
            "importances": self.importances,
            "pruning": vars(self.savings),
        }
        if all_trials:
            told["all_trials"] = [
                {**trial_row(self, each), "history": _history(each)} for each in self.records
            ]
        return told


def summarise(name: str, sweeps_dir: Path) -> SweepSummary:
    """Read a sweep's study; it may be running.

    Raises:
        UserError: there is no such sweep, or its storage does not answer.
    """
    config = SweepConfig.load(name, sweeps_dir)
    with opened_study(config) as study:
        records = records_of(study)
        return SweepSummary(
            config,
            str(study.user_attrs["sweep_id"]),
            records,
            importances(study),
            savings(records, config.max_epochs),
        )


@contextlib.contextmanager
def opened_study(config: SweepConfig) -> Iterator[optuna.Study]:
    """A sweep's study, for reading while a driver may write it; its storage is closed again.

    Raises:
        UserError: the storage does not answer, or the study is not there; says how to go on.
    """
    with existing_study(config, one_moment=True) as (_, study):
        yield study


def trial_row(
    summary: SweepSummary, record: TrialRecord, among: Sequence[SweepSummary] = ()
) -> dict[str, Any]:
    """A trial as one flat row, for JSON and CSV; its metric is its value, or what it last reported.

    Args:
        summary: of its sweep.
        record: the trial.
        among: the sweeps whose trials stand in one table, if there are others.
    """
    metric = summary.config.metric
    columns = Columns.of([each.config for each in among or (summary,)], _ROW)
    last = record.epochs[-1].metrics[metric] if record.epochs else None
    return {
        "sweep": summary.config.name,
        "trial": record.number,
        "state": record.outcome,
        "stop_reason": record.stop_reason,
        columns.metrics[metric]: last if record.value is None else record.value,
        "epochs": len(record.epochs),
        "train_s": round(record.train_seconds, 3),
        **{columns.params[name]: record.params.get(name) for name in summary.config.space.parameters},
        "mlflow_run_id": record.run_id,
    }


def _history(record: TrialRecord) -> list[dict[str, float]]:
    return [
        {"epoch": epoch.epoch}
        | {name: epoch.metrics[key] for key, name in apart("metric", epoch.metrics, ["epoch"]).items()}
        for epoch in record.epochs
    ]


def write_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as CSV with one header for all, empty where a row lacks a column."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def best_of_all(summaries: Sequence[SweepSummary], top: int) -> list[tuple[SweepSummary, TrialRecord]]:
    """The best trials of several sweeps together, best first.

    Raises:
        UserError: they optimise different things, or train on different data, so that there is no order.
    """
    goals = {(summary.config.metric, summary.config.direction) for summary in summaries}
    if len(goals) > 1:
        told = ", ".join(f"{s.config.name}: {s.config.direction} {s.config.metric}" for s in summaries)
        raise UserError(f"sweeps that optimise different things cannot be compared ({told}): name alike ones")
    if any(summary.config.dataset != summaries[0].config.dataset for summary in summaries):
        told = "; ".join(f"{summary.config.name}: {_data(summary.config)}" for summary in summaries)
        raise UserError(
            f"sweeps on different data have no common leaderboard ({told}): compare them one by one, "
            "or write every trial of each with --all --format csv"
        )
    complete = [
        (summary, record)
        for summary in summaries
        for record in summary.records
        if record.state is TrialState.COMPLETE
    ]
    sign = -1.0 if summaries[0].config.direction == "maximize" else 1.0
    return sorted(complete, key=lambda pair: sign * (pair[1].value or 0.0))[:top]


def common_store(summaries: Sequence[SweepSummary]) -> str:
    """URI of the tracking store that shows all of these sweeps.

    Raises:
        UserError: they are in several.
    """
    if len({absolute_uri(summary.config.tracking_uri) for summary in summaries}) > 1:
        told = ", ".join(f"{s.config.name}: {printable_uri(s.config.tracking_uri)}" for s in summaries)
        raise UserError(
            f"--ui shows one tracking store, and these sweeps are in several ({told}): open each alone"
        )
    return summaries[0].config.tracking_uri


def _data(config: SweepConfig) -> str:
    note = config.dataset
    if note is None:
        return "data it says nothing of"
    sizes = ", ".join(f"{count:,} {split}" for split, count in note.sizes.items())
    return f"{note.name}, {sizes}, digest {note.digest[:8]}"
