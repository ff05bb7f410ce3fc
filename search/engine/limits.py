"""What ends a sweep before its trials are used up: its time, its core-hours, and too many failures."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.results.cost import Meter
from search.results.leaderboard import causes, place_of_fault, typical_seconds
from search.results.outlook import Progress
from search.results.size import hours_used_up
from search.study.records import Outcome, StopReason, TrialRecord

_TYPICAL_OF = 100  # newest trials that tell how long the next one will take
_MOST_CAUSES = 5  # of failed trials that are told when they end a sweep; the study has them all
_FAULTS = {StopReason.ERROR, StopReason.OOM, StopReason.TIMEOUT, StopReason.LOST}

_logger = logging.getLogger(__name__)


class TimeBudget:
    """The time that a driver has, from now on; without end where the sweep has no time budget.

    Attributes:
        closed: whether the time left was found too short for another trial.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> needed = {"name": "day", "space": SPACE, "objective": "math:sqrt", "trials": 1, "max_epochs": 1}
        >>> config, now = SweepConfig(**needed, time_budget="60s"), 0.0
        >>> budget = TimeBudget(config, clock=lambda: now)
        >>> before, now = budget.used_up, 61.0
        >>> before, budget.used_up
        (False, True)
    """

    def __init__(self, config: SweepConfig, clock: Callable[[], float]) -> None:
        self._seconds = math.inf if config.time_budget is None else config.time_budget
        self._clock = clock
        self._began_at = clock()
        self.closed = False

    @property
    def used_up(self) -> bool:
        """Whether there is no time left."""
        return self._left <= 0

    def worth_starting(self, records: Collection[TrialRecord]) -> bool:
        """Whether a trial asked for now would probably end in time; once one would not, none will.

        Args:
            records: the sweep's trials, the newest last.
        """
        if self._seconds < math.inf:
            typical = typical_seconds(list(records)[-_TYPICAL_OF:])
            self.closed = self.closed or (typical is not None and typical > self._left)
        return not self.closed

    @property
    def _left(self) -> float:
        return self._seconds - (self._clock() - self._began_at)


class HoursBudget:
    """The core-hours and GPU-hours that a sweep's epochs may take, over all its launches; an observer.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=9, max_epochs=1)
        >>> HoursBudget(config).used_up
        False
    """

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._meter = Meter()

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """What was trained before."""
        for record in records:
            self._meter.add(record)

    def trial_changed(self, record: TrialRecord) -> None:
        """What is trained now."""
        self._meter.add(record)

    @property
    def used_up(self) -> bool:
        """Whether the sweep has taken what it may."""
        return hours_used_up(self._config, self._meter.cost)


class WorthLimit:
    """Whether another hour is worth it, looked at whenever a trial has ended or is frozen; an observer.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=9, max_epochs=1)
        >>> WorthLimit(config).reached
        False
    """

    def __init__(self, config: SweepConfig) -> None:
        self._stop_when = config.stop_when
        self._progress = Progress(config)
        self.reached = False

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """What was trained before."""
        if self._stop_when is not None:
            self._progress.add(records)
            self._look(self._stop_when)

    def trial_changed(self, record: TrialRecord) -> None:
        """What is trained now."""
        if self._stop_when is not None:
            self._progress.add([record])
            if record.frozen or record.state is not TrialState.RUNNING:
                self._look(self._stop_when)

    def _look(self, stop_when: str) -> None:
        outlook = self._progress.outlook
        if not self.reached and outlook is not None and outlook.is_too_little(stop_when):
            self.reached = True
            _logger.warning("%s: so `stop_when=%s` ends the sweep", outlook, stop_when)


class FailureLimit:
    """Watches the trials that one driver tries for faults that more trials would only repeat.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=9, max_epochs=1)
        >>> FailureLimit(config).reached()
        False
    """

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._tried: dict[int, TrialRecord] = {}
        self._told = False  # of the first failure

    def tried(self, record: TrialRecord) -> None:
        """A trial has ended, in whatever way, or is frozen: so far it can be trained.

        Why the first one failed is logged at once: the next ones may be about to fail likewise.
        """
        self._tried[record.number] = record
        if _at_fault(record) and not self._told:
            self._told = True
            (why,) = causes([record])
            _logger.error("%s%s", why, place_of_fault(record.error or ""))

    def reached(self) -> bool:
        """Whether faults are too many, which is logged with their causes.

        A trial that diverged, or that somebody else has ended, is none.
        """
        tried, config = self._tried.values(), self._config
        failed = sum(map(_at_fault, tried))
        first_all_failed = failed == len(tried) == config.first_failures
        too_many = len(tried) >= config.share_after and failed / len(tried) > config.max_failed_share
        if not first_all_failed and not too_many:
            return False
        _logger.error("%d of %d trials failed: no more are started", failed, len(tried))
        for why in causes(list(tried))[:_MOST_CAUSES]:
            _logger.error("%s", why)
        return True


def _at_fault(record: TrialRecord) -> bool:
    return record.outcome is Outcome.FAILED and record.stop_reason in _FAULTS
