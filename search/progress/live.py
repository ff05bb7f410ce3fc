"""A sweep's progress: a live table in a terminal or below a notebook's cell, plain lines anywhere else."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from search.config.sweep_config import SweepConfig
from search.engine.observers import Stop
from search.progress.frame import Frame
from search.progress.notebook import NotebookTable
from search.progress.tally import Tally
from search.progress.terminal import TerminalTable
from search.results.columns import Columns
from search.results.digits import all_shown, human_seconds, score, scores, shown
from search.results.freezing import Choice, choices, newest_choice, thaws_text
from search.results.leaderboard import leading
from search.study.records import Outcome, TrialRecord

_MOST_ROWS = 16  # running trials shown; a cluster's hundreds would push the summary off the screen
_WORKERS = "starting workers"
_FIRST_EPOCH = "importing the training function in the workers, then the first epoch"


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
        ...     progress.waits_for("starting Ray")
        ...     progress.sweep_opened(night.records[:1])
        ...     progress.trial_changed(night.records[1])
        sweep night: 3 trials of up to 2 epochs, maximising val_acc, its own data
        night: starting Ray
        night: starting workers
        trial-001 complete val_acc=0.8000 after 2 of 2 epochs, lr=0.1; 2/3 done, ...
    """

    def __init__(self, config: SweepConfig, console: Console | None = None) -> None:
        self._config = config
        # What is printed holds users' errors and paths: brackets and colons in them are no markup.
        self._console = console or Console(
            stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False
        )
        self._tally = Tally(config, [])
        self._choice: Choice | None = None  # the last one of what a free slot does, where trials freeze
        self._started = time.monotonic()
        self._waits: tuple[str, float] | None = None  # for what, and since when
        self._stop: tuple[Stop, float | None] | None = None  # and by when, on the monotonic clock
        self._table: NotebookTable | TerminalTable | None = None
        if self._console.is_jupyter:
            self._table = NotebookTable(self._frame)
        elif self._console.is_terminal:
            self._table = TerminalTable(self._console, self._frame)

    def __enter__(self) -> Self:
        if not isinstance(self._table, NotebookTable):
            self._say(_headline(self._config))
        if self._table:
            self._table.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._table:
            self._table.stop(self._last_frame())

    def waits_for(self, what: str) -> None:
        """Say what is being done before anything trains, as in "starting Ray"."""
        self._waits = what, time.monotonic()
        if not self._table:
            self._say(f"{self._config.name}: {what}")

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Take in what there was before, so that counts and best are the sweep's."""
        self._tally = Tally(self._config, records)
        self._choice = next(reversed(choices(records)), None)
        self._waits = None
        if not self._tally.is_used_up:
            self.waits_for(_WORKERS)

    def trial_changed(self, record: TrialRecord) -> None:
        """Take a change in; without a live table, print each trial's end, freeze and thaw."""
        before = self._tally.known(record.number)
        self._tally.take(record)
        self._choice = _choice_since(before, record) or self._choice
        self._wait_goes_on(before, record)
        if not self._table and (line := self._told(before, record)):
            self._say(line)

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """Show that a stop was heard and how long it takes at most; without a live table the log tells it."""
        self._stop = reason, None if grace_s is None else time.monotonic() + grace_s

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)

    def _wait_goes_on(self, before: TrialRecord | None, record: TrialRecord) -> None:
        """The first worker that is up has an epoch to come; with that the wait is over."""
        if self._waits is None:
            return
        known = 0 if before is None else len(before.epochs)
        if record.outcome is not Outcome.RUNNING or len(record.epochs) > known:
            self._waits = None
        elif self._waits[0] == _WORKERS:
            self.waits_for(_FIRST_EPOCH)

    def _told(self, before: TrialRecord | None, record: TrialRecord) -> str | None:
        """What there is to say of a change, if there is anything: a trial's epochs alone are not told."""
        was_frozen = before is not None and before.frozen
        if record.outcome is Outcome.RUNNING:
            choice = _choice_since(before, record)
            return f"{choice}; {self._tally.summary}" if choice and choice.thawed else None
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
            f"{self._tally.summary}"
        )

    def _newest(self, record: TrialRecord) -> float | None:
        return record.epochs[-1].metrics[self._config.metric] if record.epochs else None

    def _frame(self) -> Frame:
        """The trials that run, and how far the sweep is."""
        running = [record for _, record in sorted(self._tally.running.items())][:_MOST_ROWS]
        columns = Columns.of([self._config], ["trial", "epoch"])
        cells = {
            "trial": [record.key for record in running],
            "epoch": [self._epoch(record) for record in running],
            columns.metrics[self._config.metric]: scores([self._newest(record) for record in running]),
        }
        for name, heading in columns.params.items():
            cells[heading] = all_shown([record.params.get(name) for record in running])
        lines = [f"{self._status_line()} so far"]
        lines += [] if self._waits is None else [_wait_line(*self._waits)]
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
        rows = leading(self._tally.best, columns.params)
        cells = {heading: [row[place] for row in rows] for place, heading in enumerate(headings)}
        lines = [self._status_line()]
        lines += [] if self._stop is None else [f"stopped ({self._stop[0].value}): run it again to resume"]
        return Frame(cells, lines)

    def _status_line(self) -> str:
        elapsed = human_seconds(time.monotonic() - self._started)
        return f"{self._config.name}: {self._tally.summary}, {elapsed}"


def _choice_since(before: TrialRecord | None, record: TrialRecord) -> Choice | None:
    """What was chosen about a trial since it was seen before; None: nothing."""
    known = 0 if before is None else len(before.hand_outs)
    return newest_choice(record) if len(record.hand_outs) > known else None


def _headline(config: SweepConfig) -> str:
    """What is about to run."""
    data, note = "its own data", config.dataset
    if note is not None:
        sizes = f"{note.sizes['train']:,} train, {note.sizes['val']:,} val"
        if config.kind == "retrain":
            sizes = f"{note.sizes['train'] + note.sizes['val']:,} train, with the validation images"
        data = f"{note.name} ({sizes})"
    return f"{config.kind} {config.name}: {config.size_text}, {config.goal}, {data}"


def _wait_line(what: str, since: float) -> str:
    return f"{what}, {human_seconds(time.monotonic() - since)}"


def _stop_line(reason: Stop, until: float | None) -> str:
    if until is None:
        return f"stopping ({reason.value}): running epochs end first; an interrupt gives them a few seconds"
    left = until - time.monotonic()
    if left <= 0:
        return f"stopping ({reason.value}): workers are ended and MLflow is brought up to date"
    grace = f"running epochs have {math.ceil(left)} s to end"
    return f"stopping ({reason.value}): {grace}; interrupt again to stop at once"
