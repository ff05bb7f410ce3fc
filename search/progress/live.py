"""A sweep's progress: a live table in a terminal or below a notebook's cell, plain lines anywhere else."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from optuna.trial import TrialState
from rich.console import Console
from rich.text import Text

from search.config.sweep_config import SweepConfig
from search.engine.observers import Stop
from search.progress.frame import Frame
from search.progress.notebook import NotebookTable
from search.progress.pace import EpochPace
from search.progress.terminal import TerminalTable
from search.results.columns import Columns
from search.results.digits import all_shown, human_seconds, score, scores, shown
from search.results.freezing import (
    Choice,
    best_unfinished,
    best_unfinished_text,
    choices,
    newest_choice,
    thaws_text,
)
from search.results.leaderboard import leading
from search.study.records import Outcome, TrialRecord, ranked

_TOP = 5  # of the trials, which a notebook keeps
_MOST_ROWS = 16  # running trials shown; a cluster's hundreds would push the summary off the screen


class Progress:
    """Follows a sweep and shows it; a context manager, an `Observer` and a `StopObserver`.

    The live table is drawn by a thread of its own. What it reads is replaced, or copied at one go: a lock
    could be held by the very thread that a signal makes draw.

    Args:
        config: the sweep.
        console: where to; by default stderr, so that stdout stays free for results.

    Example:
        >>> import sys
        >>> from pathlib import Path
        >>> from search.results.summary import summarise
        >>> night = summarise("night", Path("sweeps"))
        >>> with Progress(night.config, Console(file=sys.stdout)) as progress:
        ...     progress.sweep_opened([])
        ...     progress.trial_changed(night.records[1])
        trial-001 complete val_acc=0.8000 after 2 of 2 epochs, lr=0.1; 1/3 done, ...
    """

    def __init__(self, config: SweepConfig, console: Console | None = None) -> None:
        self._config = config
        # What is printed holds users' errors and paths: brackets and colons in them are no markup.
        self._console = console or Console(
            stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False
        )
        self._running: dict[int, TrialRecord] = {}
        self._frozen: dict[int, TrialRecord] = {}
        self._epochs = EpochPace(config)
        self._choice: Choice | None = None  # the last one of what a free slot does, where trials freeze
        self._ended = _nothing_ended()
        self._retried: set[int] = set()  # failed trials that a retry has taken the place of
        self._best: list[TrialRecord] = []
        self._ended_here, self._seconds_here = 0, 0.0  # of this launch, for the time that is left
        self._most_running = 0
        self._started = time.monotonic()
        self._stop: tuple[Stop, float | None] | None = None  # and by when, on the monotonic clock
        self._table: NotebookTable | TerminalTable | None = None
        if self._console.is_jupyter:
            self._table = NotebookTable(self._frame)
        elif self._console.is_terminal:
            self._table = TerminalTable(self._console, self._frame)

    def __enter__(self) -> Self:
        if self._table:
            self._table.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._table:
            self._table.stop(self._last_frame())

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Take in what there was before, so that counts and best are the sweep's."""
        self._running, self._ended, self._retried, self._best = {}, _nothing_ended(), set(), []
        self._frozen, self._epochs = {}, EpochPace(self._config)
        for record in records:
            self._take(record)
        self._epochs.begin()
        self._choice = next(reversed(choices(records)), None)

    def trial_changed(self, record: TrialRecord) -> None:
        """Take a change in; without a live table, print each trial's end, freeze and thaw."""
        before = self._running.get(record.number) or self._frozen.get(record.number)
        self._take(record)
        self._choice = _choice_since(before, record) or self._choice
        if record.state is not TrialState.RUNNING:
            self._ended_here += 1
            self._seconds_here += record.train_seconds
        if not self._table and (line := self._told(before, record)):
            self._console.print(Text(line), soft_wrap=True)

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """Show that a stop was heard and how long it takes at most; without a live table the log tells it."""
        self._stop = reason, None if grace_s is None else time.monotonic() + grace_s

    def _take(self, record: TrialRecord) -> None:
        if record.retry_of is not None and record.retry_of not in self._retried:
            self._retried.add(record.retry_of)
            self._ended[Outcome.FAILED] -= 1
        self._epochs.take(record)
        if record.outcome is Outcome.RUNNING:
            self._running = {**self._running, record.number: record}
        else:
            self._running = {n: each for n, each in self._running.items() if n != record.number}
        self._frozen.pop(record.number, None)
        if record.frozen:
            self._frozen[record.number] = record
        self._most_running = max(self._most_running, len(self._running))
        if record.state is TrialState.RUNNING:
            return
        self._ended[record.outcome] += 1
        self._best = ranked([*self._best, record], self._config.goal)[:_TOP]

    def _told(self, before: TrialRecord | None, record: TrialRecord) -> str | None:
        """What there is to say of a change, if there is anything: a trial's epochs alone are not told."""
        was_frozen = before is not None and before.frozen
        if record.outcome is Outcome.RUNNING:
            choice = _choice_since(before, record)
            return f"{choice}; {self._summary()}" if choice and choice.thawed else None
        if was_frozen and record.outcome in (Outcome.FROZEN, Outcome.PRUNED):
            return None  # how far it came was told when it froze
        return self._line(record)

    def _line(self, record: TrialRecord) -> str:
        params = " ".join(f"{name}={shown(value)}" for name, value in record.params.items())
        reason = f" ({record.stop_reason})" if record.outcome is Outcome.FAILED else ""
        thaws = f", {thaws_text(record)}" if record.thawed else ""
        return (
            f"{record.key} {record.outcome}{reason} "
            f"{self._config.metric}={score(self._newest(record))} "
            f"after {len(record.epochs)} of {self._config.max_epochs} epochs{thaws}, {params}; "
            f"{self._summary()}"
        )

    def _newest(self, record: TrialRecord) -> float | None:
        return record.epochs[-1].metrics[self._config.metric] if record.epochs else None

    def _summary(self) -> str:
        ended, best = self._ended, next(iter(self._best), None)
        parts = [f"{ended.total()}/{self._config.most_trials} done"]
        if self._config.budget_epochs is not None:
            parts = [f"{self._epochs.spent}/{self._config.budget_epochs} epochs"]
            parts.append(f"{ended[Outcome.COMPLETE]} complete")
        parts += [f"{len(self._frozen)} frozen"] if self._frozen else []
        parts.append(f"{ended[Outcome.PRUNED]} pruned")
        parts += [f"{ended[Outcome.DIVERGED]} diverged"] if ended[Outcome.DIVERGED] else []
        parts.append(f"{ended[Outcome.FAILED]} failed")
        parts.append(
            f"best {score(best.value)} ({best.key})" if best and best.value is not None else self._no_best()
        )
        if (left := self._seconds_left()) is not None:
            parts.append(f"about {human_seconds(left)} left")
        return ", ".join(parts)

    def _no_best(self) -> str:
        frozen = list(self._frozen.values())  # at once: this is drawn by another thread
        furthest = best_unfinished(frozen, self._config.goal)
        if furthest is None:
            return "no best yet"
        return f"none complete yet, best so far {best_unfinished_text(furthest, self._config.max_epochs)}"

    def _seconds_left(self) -> float | None:
        """At the pace of this launch; None until it is known, and where trials are frozen and counted."""
        if self._config.budget_epochs is not None:
            seconds = self._epochs.seconds_left()
            return None if seconds is None else seconds / max(1, self._most_running)
        if self._frozen:
            return None
        to_come = self._config.most_trials - self._ended.total()
        if not self._ended_here or to_come <= 0:
            return None
        return self._seconds_here / self._ended_here * to_come / max(1, self._most_running)

    def _frame(self) -> Frame:
        """The trials that run, and how far the sweep is."""
        running = [record for _, record in sorted(self._running.items())][:_MOST_ROWS]
        columns = Columns.of([self._config], ["trial", "epoch"])
        cells = {
            "trial": [record.key for record in running],
            "epoch": [self._epoch(record) for record in running],
            columns.metrics[self._config.metric]: scores([self._newest(record) for record in running]),
        }
        for name, heading in columns.params.items():
            cells[heading] = all_shown([record.params.get(name) for record in running])
        lines = [f"{self._status_line()} so far"]
        lines += [] if self._choice is None else [f"last choice: {self._choice}"]
        lines += [] if self._stop is None else [_stop_line(*self._stop)]
        return Frame(cells, lines)

    def _epoch(self, record: TrialRecord) -> str:
        """`2/9`, or `2/3 of 9` for a trial that freezes at 3."""
        done, last = len(record.epochs), self._config.max_epochs
        return f"{done}/{last}" if record.until is None else f"{done}/{record.until} of {last}"

    def _last_frame(self) -> Frame:
        """The best trials, and what the sweep came to."""
        columns = Columns.of([self._config], ["trial"])
        headings = ["trial", columns.metrics[self._config.metric], *columns.params.values()]
        rows = leading(self._best, columns.params)
        cells = {heading: [row[place] for row in rows] for place, heading in enumerate(headings)}
        lines = [self._status_line()]
        lines += [] if self._stop is None else [f"stopped ({self._stop[0].value}): run it again to resume"]
        return Frame(cells, lines)

    def _status_line(self) -> str:
        elapsed = human_seconds(time.monotonic() - self._started)
        return f"{self._config.name}: {self._summary()}, {elapsed}"


def _choice_since(before: TrialRecord | None, record: TrialRecord) -> Choice | None:
    """What was chosen about a trial since it was seen before; None: nothing."""
    known = 0 if before is None else len(before.hand_outs)
    return newest_choice(record) if len(record.hand_outs) > known else None


def _nothing_ended() -> Counter[Outcome]:
    return Counter(dict.fromkeys(Outcome, 0))


def _stop_line(reason: Stop, until: float | None) -> str:
    if until is None:
        return f"stopping ({reason.value}): running epochs end first; an interrupt gives them a few seconds"
    left = until - time.monotonic()
    if left <= 0:
        return f"stopping ({reason.value}): workers are ended and MLflow is brought up to date"
    grace = f"running epochs have {math.ceil(left)} s to end"
    return f"stopping ({reason.value}): {grace}; interrupt again to stop at once"
