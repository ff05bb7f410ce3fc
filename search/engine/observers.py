"""What follows a sweep while it is driven, and hears of every change."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from search.study.records import TrialRecord

_logger = logging.getLogger(__name__)


class Stop(enum.Enum):
    """Why a driver ends before the sweep is done."""

    INTERRUPTED = "interrupted"
    TIME_BUDGET = "time budget used up"
    HOURS = "core-hours or GPU-hours used up"
    WORTHLESS = "another hour would probably bring too little"
    FAILURES = "too many trials failed"


class Observer(Protocol):
    """Something that follows the trials: the MLflow view, the progress table, a logger.

    A record holds all that is known of its trial, every epoch included, and is in the study before it is
    told. So whoever keeps something of a trial brings that up to the record, and is exact after any crash.
    """

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """The trials that there are when a driver begins, or when the study's storage is back.

        A driver that was killed may not have told the last changes of them.
        """

    def trial_changed(self, record: TrialRecord) -> None:
        """A trial was started, finished an epoch, was frozen or ended."""


@runtime_checkable
class StopObserver(Protocol):
    """An observer that also hears that the driver is to end before the sweep is done."""

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """A stop was asked for; running epochs have `grace_s` seconds to end, None: as long as they take.

        Called in a signal's handler too: it must neither wait for anything nor print.
        """


@runtime_checkable
class ClosingObserver(Protocol):
    """A logger that holds something open: files, a connection."""

    def sweep_closed(self) -> None:
        """Nothing more will be told: write what is left, and let go of it."""


class Guarded:
    """An observer that cannot fail the sweep that it follows: one that raises is told nothing more.

    Args:
        observer: called in the driver's own thread, so it must return at once.

    Example:
        >>> class Broken:
        ...     def sweep_opened(self, records):
        ...         raise ValueError("no such table")
        ...     def trial_changed(self, record):
        ...         print(record.key)
        >>> guarded = Guarded(Broken())
        >>> guarded.sweep_opened([])  # is logged
        >>> guarded.sweep_opened([])
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._broken = False

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.sweep_opened(records))

    def trial_changed(self, record: TrialRecord) -> None:
        """Pass it on."""
        self._tell(lambda: self._observer.trial_changed(record))

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """Pass it on to one that hears of it."""
        observer = self._observer
        if isinstance(observer, StopObserver):
            self._tell(lambda: observer.stop_requested(reason, grace_s))

    def _tell(self, call: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            call()
        except Exception:  # whatever somebody else's code raises ends no sweep
            self._broken = True
            name = type(self._observer).__name__
            _logger.exception("the observer %s failed and is told nothing more; the sweep continues", name)
