"""What follows a sweep while it is driven, and hears of every change."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from search.study.records import TrialRecord


class Stop(enum.Enum):
    """Why a driver ends before the sweep is done."""

    INTERRUPTED = "interrupted"
    TIME_BUDGET = "time budget used up"
    FAILURES = "too many trials failed"


class Observer(Protocol):
    """Something that follows the trials: the MLflow view, the progress table."""

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """The trials that there are when a driver begins."""

    def trial_changed(self, record: TrialRecord) -> None:
        """A trial was started, finished an epoch or ended. Must return at once."""


@runtime_checkable
class StopObserver(Protocol):
    """An observer that also hears that the driver is to end before the sweep is done."""

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """A stop was asked for; running epochs have `grace_s` seconds to end, None: as long as they take.

        Called in a signal's handler too: it must neither wait for anything nor print.
        """
