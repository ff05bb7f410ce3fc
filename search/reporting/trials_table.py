"""All trials of a sweep as a table that a reader sorts and filters, with a small curve of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.results.columns import Columns
from search.results.digits import all_shown, human_seconds, scores
from search.results.leaderboard import latest
from search.results.summary import SweepSummary
from search.study.records import TrialRecord

WIDTH, HEIGHT = 80, 20  # pixels of a curve
_MOST_POINTS = 20  # of a curve: more cannot be told apart
_OWN = ("trial", "state", "epochs", "train time")


@dataclass(frozen=True)
class Cell:
    """What a cell says, and what its column is sorted by: numbers as such, else text.

    Example:
        >>> Cell("2 min 05 s", 125.0).by
        125.0
    """

    text: str
    by: float | str | None = None  # None: what does not exist, which stands last


@dataclass(frozen=True)
class Row:
    """A trial: its cells, and the points of its curve as SVG writes them.

    Example:
        >>> Row("0,20 80,0", [Cell("trial-007", 7)]).cells[0].text
        'trial-007'
    """

    curve: str
    cells: list[Cell]


def trials_table(summary: SweepSummary, params: Sequence[str]) -> tuple[list[str], list[Row]]:
    """The headings, and a row for each trial by number, its parameters in this order."""
    config, records = summary.config, summary.records
    columns = Columns.of([config], _OWN)
    values = [latest(record, config.metric) for record in records]
    shown = scores(values)
    texts = {name: all_shown([record.params.get(name) for record in records]) for name in params}
    top = [value for record in records for value in _values(record, config.metric)]
    low, high = min(top, default=0.0), max(top, default=0.0)
    headings = ["trial", "state", columns.metrics[config.metric], "epochs", "train time"]
    rows = [
        Row(
            _curve(_values(record, config.metric), config.max_epochs, low, (high - low) or 1.0),
            [
                Cell(record.key, record.number),
                Cell(record.outcome, record.outcome),
                Cell(shown[place], values[place]),
                Cell(str(len(record.epochs)), len(record.epochs)),
                Cell(human_seconds(record.train_seconds), record.train_seconds),
                *(Cell(texts[name][place], _sorted_by(record.params.get(name))) for name in params),
            ],
        )
        for place, record in enumerate(records)
    ]
    return [*headings, *(columns.params[name] for name in params)], rows


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
