"""What screens about sweeps share: the table of the best trials, and where MLflow shows them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from rich.table import Table
from rich.text import Text

from scripts.commands import command
from scripts.consoles import out
from search.config.sweep_config import SweepConfig
from search.reporting.run_links import RunLinks
from search.results.columns import Columns, fitted
from search.results.digits import human_seconds
from search.results.leaderboard import leading
from search.results.summary import SweepSummary
from search.study.records import TrialRecord

if TYPE_CHECKING:
    from search.tracking.store import SweepPage  # loads MLflow


def leaderboard(
    rows: Sequence[tuple[SweepConfig, TrialRecord]], config: SweepConfig, order: Sequence[str] = ()
) -> Table:
    """Trials as a table, in the order given; in a terminal with as many parameters as fit.

    Args:
        rows: the trials, each with its sweep.
        config: whose metric is shown.
        order: parameters that come first.
    """
    several = len({row[0].name for row in rows}) > 1
    first, last = (["sweep", "trial"] if several else ["trial"]), ["epochs", "train time"]
    columns = Columns.of([row[0] for row in rows], [*first, *last])
    params = sorted(columns.params, key=lambda name: order.index(name) if name in order else len(order))
    texts = leading([record for _, record in rows], params)
    cells = {"sweep": [owner.name for owner, _ in rows]} if several else {}
    cells |= {"trial": [text[0] for text in texts], columns.metrics[config.metric]: [t[1] for t in texts]}
    cells |= {"epochs": [str(len(record.epochs)) for _, record in rows]}
    cells |= {"train time": [human_seconds(record.train_seconds) for _, record in rows]}
    kept = len(cells)
    cells |= {columns.params[name]: [t[2 + place] for t in texts] for place, name in enumerate(params)}
    return table(cells, kept)


def table(cells: dict[str, list[str]], kept: int) -> Table:
    """Cells by heading as a table; of those after `kept` a terminal shows as many as fit."""
    made = Table(box=None, pad_edge=False)
    shown = fitted(cells, shutil.get_terminal_size().columns, kept) if out.is_terminal else cells
    for heading in shown:
        made.add_column(heading, justify="right", no_wrap=True)
    for row in zip(*shown.values(), strict=True):
        made.add_row(*map(Text, row))
    return made


def print_links(
    links: Sequence[tuple[str, str]], config: SweepConfig, *others: SweepConfig, ui: bool = False
) -> None:
    """Where to see sweeps in MLflow: how to open it, and pages by name.

    The addresses are long. A terminal gets a short one, with the pages' names as links; where no link can
    be made of a name, and for programs, they are whole.

    Args:
        links: names and addresses of the pages.
        config: the first of the sweeps.
        others: the rest of them.
        ui: whether the UI is about to be started.
    """
    served = config.tracking_uri.startswith(("http://", "https://"))
    names = "".join(f" {other.name}" for other in others)
    how = "" if ui or served else f"  {command('compare_trials.py', config)}{names} --ui"
    out.print(f"\nsee it in MLflow:{how}")
    if out.is_terminal and out.color_system is not None and links:
        words = Text(", ").join(Text(name, Style(link=address)) for name, address in links)
        place = links[0][1].partition("?")[0]
        out.print(Text.assemble(f"  {place} (", words, ")"))
    else:
        for name, address in links:
            out.print(f"  {name:<12} {address}")


def run_links(summary: SweepSummary, page: SweepPage | None) -> RunLinks:
    """Where MLflow shows a sweep's own run, if there is one, and its trials', and how to open it."""
    return RunLinks.of(summary, page, f"{command('compare_trials.py', summary.config)} --ui")
