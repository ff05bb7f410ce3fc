"""All trials of a sweep as a table that a reader sorts and filters, with a small curve of each."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from search.reporting.page_figures import embedded
from search.results.columns import Columns
from search.results.digits import human_seconds, score, shown
from search.results.leaderboard import latest
from search.results.summary import SweepSummary
from search.study.records import TrialRecord

WIDTH, HEIGHT = 80, 20  # pixels of a curve
_MOST_POINTS = 20  # of a curve: more cannot be told apart
_OWN = ("trial", "state", "epochs", "train time")


@dataclass(frozen=True)
class TrialsTable:
    """A row of cells for each trial, by number. A cell is its text and what its column is sorted by.

    That is a number where it is one; None is of what does not exist, and stands last.

    Example:
        >>> table = TrialsTable(["trial"], curve_at=1, rows=[Row([("trial-007", 7)], "0,20 80,0", None)])
        >>> table.to_json()
        '{"headings":["trial"],"curve_at":1,"rows":[[[["trial-007",7]],"0,20 80,0",null]]}'
    """

    headings: list[str]
    curve_at: int  # before which of the cells a row's curve stands
    rows: list[Row]

    def to_json(self) -> str:
        """All of it, for a page's script to show."""
        rows = [
            [[text if by == text else [text, by] for text, by in row.cells], row.curve, row.address]
            for row in self.rows
        ]
        table = {"headings": self.headings, "curve_at": self.curve_at, "rows": rows}
        return embedded(json.dumps(table, separators=(",", ":")))


@dataclass(frozen=True)
class Row:
    """A trial.

    Example:
        >>> Row([("2 min 05 s", 125.0)], "0,20 80,0", None).cells[0]
        ('2 min 05 s', 125.0)
    """

    cells: list[tuple[str, float | str | None]]
    curve: str  # its points, as SVG writes them
    address: str | None  # of its run in MLflow


def trials_table(summary: SweepSummary, params: Sequence[str], addresses: Mapping[str, str]) -> TrialsTable:
    """The table of all trials, with parameters in this order.

    Args:
        summary: of the sweep.
        params: its parameters.
        addresses: of trials' runs in MLflow, by key.
    """
    config, records = summary.config, summary.records
    columns = Columns.of([config], _OWN)
    values = [latest(record, config.metric) for record in records]
    top = [value for record in records for value in _values(record, config.metric)]
    low, high = min(top, default=0.0), max(top, default=0.0)
    own = ["trial", "state", columns.metrics[config.metric], "epochs", "train time"]
    rows = [
        Row(
            [
                (record.key, record.number),
                (record.outcome, record.outcome),
                (score(values[place]), values[place]),
                (str(len(record.epochs)), len(record.epochs)),
                (human_seconds(record.train_seconds), round(record.train_seconds, 3)),
                *((shown(value), _sorted_by(value)) for value in map(record.params.get, params)),
            ],
            _curve(_values(record, config.metric), config.max_epochs, low, (high - low) or 1.0),
            addresses.get(record.key),
        )
        for place, record in enumerate(records)
    ]
    return TrialsTable([*own, *(columns.params[name] for name in params)], own.index("epochs"), rows)


def _values(record: TrialRecord, metric: str) -> list[float]:
    return [value for epoch in record.epochs if math.isfinite(value := epoch.metrics[metric])]


def _curve(values: Sequence[float], max_epochs: int, low: float, length: float) -> str:
    step = -(-len(values) // _MOST_POINTS) or 1
    chosen = {*range(0, len(values), step), len(values) - 1} if values else set()
    across = max(1, max_epochs - 1)
    points = [
        f"{WIDTH * place / across:.0f},{HEIGHT * (1 - (values[place] - low) / length):.1f}"
        for place in sorted(chosen)
    ]
    return " ".join(points * 2 if len(points) == 1 else points)  # a line of one point is not drawn


def _sorted_by(value: object) -> float | str | None:
    return value if value is None or isinstance(value, float | int) else str(value)
