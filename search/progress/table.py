"""The tables of a live display: the trials that run, and at the end the best."""

from __future__ import annotations

from search.config.sweep_config import SweepConfig
from search.progress.tally import Tally
from search.results.columns import Columns
from search.results.digits import all_shown, scores
from search.results.leaderboard import latest, leading
from search.study.records import TrialRecord

_MOST_ROWS = 16  # running trials shown; a cluster's hundreds would push the summary off the screen
KEPT = 3  # columns that tell which trial it is, what it does and how well


def running_table(config: SweepConfig, tally: Tally, began: bool) -> dict[str, list[str]]:
    """The trials that run, by heading, the columns that matter most first.

    Args:
        config: the sweep.
        tally: its trials.
        began: whether any epoch was trained since this driver began.
    """
    running = [record for _, record in sorted(tally.running.items())][:_MOST_ROWS]
    columns = Columns.of([config], [tally.naming.heading, "state"])
    cells = {
        tally.naming.heading: [tally.naming.see(record) for record in running],
        "state": [_state(record, config, tally, began) for record in running],
        columns.metrics[config.metric]: scores([latest(record, config.metric) for record in running]),
    }
    for name in tally.params:
        cells[columns.params[name]] = all_shown([record.params.get(name) for record in running])
    return cells


def best_table(config: SweepConfig, tally: Tally) -> dict[str, list[str]]:
    """The best trials, by heading."""
    naming = tally.naming
    columns = Columns.of([config], [naming.heading])
    rows = leading(tally.best, naming.params)
    cells = {
        naming.heading: [naming.see(record) for record in tally.best],
        columns.metrics[config.metric]: [row[1] for row in rows],
    }
    for place, name in enumerate(naming.params, 2):
        cells[columns.params[name]] = [row[place] for row in rows]
    return cells


def _state(record: TrialRecord, config: SweepConfig, tally: Tally, began: bool) -> str:
    """`epoch 2/9` for the second, which is being trained; `epoch 2/3 of 9` of a trial that freezes at 3."""
    done, last = len(record.epochs), config.max_epochs
    if record.number in tally.waiting:
        return f"waiting at {done}/{last}" if done else "waiting"
    if not done and not began:
        return "starting"
    until = last if record.until is None else record.until
    return f"epoch {min(done + 1, until)}/{until}" + ("" if until == last else f" of {last}")
