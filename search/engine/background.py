"""A logger follows a sweep in a thread of its own: it holds no trial up, and its errors fail no sweep."""

from __future__ import annotations

import logging
import math
import threading
import traceback
from collections.abc import Callable, Sequence

from search.engine.observers import ClosingObserver, Observer
from search.engine.pending import SWEEP, Pending
from search.errors import LeaseLost, shortened
from search.results.leaderboard import place_of_fault
from search.study.records import TrialRecord

_ABANDONED_S = 5.0  # what a call under way gets to end

_logger = logging.getLogger(__name__)


class Background:
    """Tells a logger of a sweep's changes, the newest state of each trial at a time.

    What it could not take it is told again: when the trial changes, when it has taken another, and at the
    end. Until it has taken how the sweep opened, that is tried first.

    Args:
        name: what the logger is called.
        logger: called by one thread alone; may take its time.
        check_lease: called before each change; raises `LeaseLost` once the sweep is another driver's.

    Example:
        >>> class Printed:
        ...     def sweep_opened(self, records):
        ...         print(len(records), "before")
        ...     def trial_changed(self, record):
        ...         print(record.key, record.outcome)
        >>> from optuna.trial import TrialState
        >>> background = Background("screen", Printed(), check_lease=lambda: None)
        >>> background.sweep_opened([])
        0 before
        >>> background.trial_changed(TrialRecord(0, TrialState.COMPLETE, {}, value=0.5))
        >>> background.close(wait_s=60) is None  # it has taken everything
        trial-000 complete
        True
    """

    def __init__(self, name: str, logger: Observer, check_lease: Callable[[], None]) -> None:
        self._name, self._logger = name, logger
        self._check_lease = check_lease
        self._pending = Pending()
        self._opened = self._done = False
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Begin."""
        self._pending.begin(records, due=False)
        self._thread.start()

    def trial_changed(self, record: TrialRecord) -> None:
        """Note a change; returns at once."""
        self._pending.change(record, gather=True)

    def end(self) -> None:
        """No more changes will come; `close` waits for those that there are."""
        self._pending.end()

    def close(self, wait_s: float, at_most_s: float = math.inf) -> str | None:
        """Wait until the logger has taken everything, and stop.

        Args:
            wait_s: how long it may take for a trial.
            at_most_s: how long it may take for all.

        Returns:
            None if it has, else what it lacks and why, in words.
        """
        self._pending.end()
        late = self._pending.wait_until_written(self._thread, wait_s, at_most_s) or "it has ended too early"
        if self._done:
            return None
        behind = self._pending.behind
        lacks = f"lacks changes of {behind} trials" if behind else "is not up to date"
        return f"{self._name} {lacks}: {next(iter(self._pending.refusals.values()), late)}"

    def abandon(self) -> None:
        """Stop without telling anything more: the sweep is another driver's now, or its storage is away."""
        self._pending.abandon()
        if self._thread.ident is not None:  # else it was never begun
            self._thread.join(_ABANDONED_S)

    def _follow(self) -> None:
        """The thread."""
        try:
            self._open()
            self._tell_changes()
            self._open()
            self._pending.retry()  # what was refused since the end came
            self._tell_changes()
        except LeaseLost:  # the driver finds out by itself, at its next write to the study
            self._pending.abandon()
        logger = self._logger
        if isinstance(logger, ClosingObserver) and (refusal := self._refusal(logger.sweep_closed)):
            self._refused(SWEEP, refusal)
        self._done = self._opened and not (self._pending.abandoned or self._pending.refusals)

    def _tell_changes(self) -> None:
        """Tell what changes until the end comes, and what is left then."""
        while (record := self._pending.take()) is not None and not self._pending.abandoned:
            if self._opened:
                self._tell(record)
            elif not self._open():
                self._refused(record.number, self._pending.refusals[SWEEP])

    def _open(self) -> bool:
        """Tell how the sweep stands now, unless that was taken before; with it nothing so far is missing."""
        if self._opened or self._pending.abandoned:
            return self._opened
        refusal = self._refusal(self._check_lease, lambda: self._logger.sweep_opened(self._pending.records))
        self._opened = refusal is None
        if refusal is not None:
            self._refused(SWEEP, refusal)
            return False
        for what in self._pending.refusals:
            self._pending.accept(what)
        return True

    def _tell(self, record: TrialRecord) -> None:
        refusal = self._refusal(self._check_lease, lambda: self._logger.trial_changed(record))
        if refusal is not None:
            self._refused(record.number, refusal)
            return
        self._pending.accept(record.number)
        if not self._pending.ending:
            self._pending.retry()  # what was in the way of others may be gone

    def _refusal(self, *calls: Callable[[], None]) -> str | None:
        """Why the logger does not take something; None: it has.

        Raises:
            LeaseLost: nothing may be told any more.
        """
        try:
            for call in calls:
                call()
        except LeaseLost:
            raise
        except Exception as error:  # whatever somebody else's code raises ends no sweep
            # Of a full disk or a lost connection the line of code tells nothing.
            text = "" if isinstance(error, OSError) else "".join(traceback.format_exception(error))
            return f"{shortened(f'{type(error).__name__}: {error}')}{place_of_fault(text)}"
        return None

    def _refused(self, what: int | None, refusal: str) -> None:
        if self._pending.refuse(what, refusal):  # the first is told, until everything is taken again
            _logger.error("%s: %s; the sweep continues, and it is told again", self._name, refusal)
