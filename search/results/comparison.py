"""Sweeps side by side, from their studies: leaderboard, importances, what pruning saved."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState

from search.config.credentials import hide
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.results.summary import SweepSummary
from search.study.records import TrialRecord


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
    goal = summaries[0].config.goal
    if any(summary.config.goal != goal for summary in summaries):
        goals = ", ".join(f"{each.config.name}: {each.config.goal}" for each in summaries)
        raise UserError(
            f"sweeps that optimise different things cannot be compared ({goals}): name those that agree"
        )
    if any(summary.config.dataset != summaries[0].config.dataset for summary in summaries):
        data = "; ".join(f"{each.config.name}: {_data(each.config)}" for each in summaries)
        raise UserError(
            f"sweeps on different data have no common leaderboard ({data}): compare them one by one, "
            "or write every trial of each as CSV"
        )
    complete = [
        (summary, record)
        for summary in summaries
        for record in summary.records
        if record.state is TrialState.COMPLETE
    ]
    return sorted(complete, key=lambda pair: goal.sort_key(pair[1].value or 0.0))[:top]


def common_store(summaries: Sequence[SweepSummary]) -> str:
    """URI of the tracking store that shows all of these sweeps.

    Raises:
        UserError: they are in several.
    """
    if len({summary.config.tracking_uri for summary in summaries}) > 1:
        stores = ", ".join(f"{each.config.name}: {hide(each.config.tracking_uri)}" for each in summaries)
        raise UserError(
            f"the MLflow UI shows one tracking store, and these sweeps are in several ({stores}): "
            "open each alone"
        )
    return summaries[0].config.tracking_uri


def _data(config: SweepConfig) -> str:
    note = config.dataset
    if note is None:
        return "data it says nothing of"
    sizes = ", ".join(f"{count:,} {split}" for split, count in note.sizes.items())
    return f"{note.name}, {sizes}, digest {note.digest[:8]}"
