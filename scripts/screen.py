"""What screens about sweeps share: the table of the best trials, and where MLflow shows them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from scripts.commands import command
from scripts.consoles import out
from search.config.sweep_config import SweepConfig
from search.results.columns import Columns
from search.results.digits import human_seconds
from search.results.leaderboard import leading
from search.study.records import TrialRecord


def leaderboard(
    rows: Sequence[tuple[SweepConfig, TrialRecord]], config: SweepConfig, title: str = ""
) -> Table:
    """Trials as a table, in the order given."""
    several = len({row[0].name for row in rows}) > 1
    first, last = (["sweep", "trial"] if several else ["trial"]), ["epochs", "train time"]
    columns = Columns.of([row[0] for row in rows], [*first, *last])
    table = Table(title=title or None, box=None, pad_edge=False, title_justify="left")
    for heading in (*first, columns.metrics[config.metric], *last, *columns.params.values()):
        table.add_column(heading, justify="right", no_wrap=True)
    texts = leading([record for _, record in rows], columns.params)
    for (owner, record), (key, value, *params) in zip(rows, texts, strict=True):
        cost = str(len(record.epochs)), human_seconds(record.train_seconds)
        table.add_row(*([owner.name] if several else []), key, value, *cost, *params)
    return table


def print_ui(config: SweepConfig, *others: SweepConfig) -> None:
    """Where to see sweeps in MLflow, before the links."""
    if config.tracking_uri.startswith(("http://", "https://")):
        out.print("\nsee it in MLflow:")
    else:
        names = "".join(f" {other.name}" for other in others)
        out.print(f"\nsee it in MLflow:  {command('compare_trials.py', config)}{names} --ui")
