"""A sweep's progress: a live table in a terminal or below a notebook's cell, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.text import Text

from search.config.sweep_config import SweepConfig
from search.engine.observers import Stop
from search.progress.frame import Frame
from search.progress.notebook import NotebookTable
from search.progress.table import KEPT, best_table, running_table
from search.progress.tally import Tally
from search.progress.terminal import SteadyConsole, TerminalTable
from search.progress.told import choice_since, end_line, end_text, headline, stop_line, wait_line
from search.results.digits import human_seconds, shown
from search.results.freezing import Choice, choices
from search.study.records import Outcome, TrialRecord

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
        >>> with Progress(night.config, SteadyConsole(file=sys.stdout)) as progress:
        ...     progress.waits_for("starting Ray")
        ...     progress.sweep_opened(night.records[:1])
        ...     progress.trial_changed(night.records[1])
        sweep night: 3 trials of up to 2 epochs, maximising val_acc, its own data
        night: starting Ray
        night: starting workers
        trial-001 complete val_acc=0.8000 after 2 of 2 epochs, lr=0.1; 2/3 done, ...
    """

    def __init__(self, config: SweepConfig, console: SteadyConsole | None = None) -> None:
        self._config = config
        # What is printed holds users' errors and paths: brackets and colons in them are no markup.
        self._console = console or SteadyConsole(
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
            self._say(headline(self._config, self._tally.naming))
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
        """Take a change in; print each trial's end, freeze and thaw, in a terminal above the live table."""
        before = self._tally.known(record.number)
        self._tally.take(record)
        self._choice = choice_since(before, record) or self._choice
        self._wait_goes_on(before, record)
        if not isinstance(self._table, NotebookTable) and (line := self._told(before, record)):
            self._say(line)

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """Show that a stop was heard and how long it takes at most; without a live table the log tells it."""
        self._stop = reason, None if grace_s is None else time.monotonic() + grace_s

    def _say(self, line: str) -> None:
        # A terminal by itself would break words.
        self._console.print(Text(line), soft_wrap=not isinstance(self._table, TerminalTable))

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
            choice = choice_since(before, record)
            return self._with_summary(self._choice_text(choice)) if choice and choice.thawed else None
        if was_frozen and record.outcome in (Outcome.FROZEN, Outcome.PRUNED):
            return None  # how far it came was told when it froze
        naming = self._tally.naming
        if self._table:
            return end_line(record, self._config, naming, is_best=self._tally.best[:1] == [record])
        return self._with_summary(end_text(record, self._config, naming))

    def _choice_text(self, choice: Choice) -> str:
        return choice.said_of(self._tally.naming.see(choice.record))

    def _with_summary(self, line: str) -> str:
        """The line, and in a log how far the sweep is by it; a live table shows that already."""
        if self._table:
            return line
        tally = self._tally
        left = "" if (text := tally.left_text) is None else f", {text}"
        return f"{line}; {tally.counts}, {tally.best_text}{left}"

    def _frame(self) -> Frame:
        """The trials that run, and how far the sweep is."""
        # What people look for first is in front.
        left = "" if self._stop or (text := self._tally.left_text) is None else f"{text}, "
        lines = [f"{left}{self._status()} so far", self._best_line()]
        lines += [] if self._waits is None else [wait_line(*self._waits)]
        lines += [] if self._choice is None else [f"last choice: {self._choice_text(self._choice)}"]
        lines += [] if self._stop is None else [stop_line(*self._stop)]
        return Frame(running_table(self._config, self._tally, self._began), lines, KEPT)

    def _last_frame(self) -> Frame:
        """The best trials, and what the sweep came to."""
        lines = [self._status(), self._tally.best_text]
        lines += [] if self._stop is None else [f"stopped ({self._stop[0].value}): run it again to resume"]
        return Frame(best_table(self._config, self._tally), lines, KEPT)

    @property
    def _began(self) -> bool:
        """Whether workers are up and have trained an epoch."""
        return self._waits is None

    def _status(self) -> str:
        """How far the sweep is, and for how long it has been driven."""
        return f"{self._tally.counts}, {human_seconds(time.monotonic() - self._started)}"

    def _best_line(self) -> str:
        """The best so far with its parameters, which a table of what runs does not show."""
        best = next(iter(self._tally.best), None)
        named = [] if best is None else [name for name in self._tally.params if name in best.params]
        values = " ".join(f"{name}={shown(best.params[name])}" for name in named) if best else ""
        return f"{self._tally.best_text}{': ' if values else ''}{values}"
