"""How much of a sweep is to come, and how long that takes at this launch's pace, told anew at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.study.epochs import spent_epochs
from search.study.records import Outcome, TrialRecord


@dataclass(frozen=True)
class _Worked:
    """A trial at work, as it was when it was last heard of."""

    seconds: float  # of training
    epoch_s: float  # of its last epoch
    since: float | None  # on the clock; None: no worker has it yet

    def left(self, typical_s: float, now: float) -> float:
        """Seconds that it still takes: what a typical trial does, and at least to the end of its epoch."""
        under_way = 0.0 if self.since is None else now - self.since
        return max(0.0, typical_s - self.seconds - under_way, self.epoch_s - under_way)


class Pace:
    """The epochs and seconds of a sweep, counted as its trials change.

    Args:
        config: the sweep.
        clock: monotonic seconds; a test hands in its own.

    Attributes:
        spent: epochs of the budget that are used.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", budget="2x", max_epochs=3)
        >>> now = 0.0
        >>> pace = Pace(config, clock=lambda: now)
        >>> pace.begin()
        >>> epoch = Epoch(1, {"val_acc": 0.5, "epoch_s": 4.0}, timestamp_ms=0, worker="host:1")
        >>> pace.take(TrialRecord(0, TrialState.RUNNING, {}, (epoch,)))
        >>> before, now = pace.seconds_left(to_begin=1), 3.0
        >>> pace.spent, before, pace.seconds_left(to_begin=1)
        (1, 20.0, 17.0)
    """

    def __init__(self, config: SweepConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._trials: dict[int, tuple[int, int, float]] = {}  # spent and trained epochs, seconds
        self._working: dict[int, _Worked] = {}
        self._most_working = 1
        self.spent = 0
        self.begin()

    def begin(self) -> None:
        """What is taken in from here on was trained in this launch."""
        self._trained, self._seconds = 0, 0.0
        self._ended, self._ended_seconds = 0, 0.0

    def take(self, record: TrialRecord, at_work: bool = True) -> None:
        """A trial is another than before; `at_work`: if it runs, a worker has it."""
        spent, trained, seconds = self._trials.get(record.number, (0, 0, 0.0))
        now = spent_epochs(record, self._config.max_epochs), len(record.epochs), record.train_seconds
        self._trials[record.number] = now
        self.spent += now[0] - spent
        self._trained += now[1] - trained
        self._seconds += now[2] - seconds
        if record.outcome is Outcome.RUNNING:
            last = record.epochs[-1].metrics.get("epoch_s", 0.0) if record.epochs else 0.0
            since = self._clock() if at_work else None
            self._working[record.number] = _Worked(record.train_seconds, last, since)
            self._most_working = max(self._most_working, len(self._working))
        else:
            self._working.pop(record.number, None)
        if record.state is not TrialState.RUNNING:
            self._ended += 1
            self._ended_seconds += record.train_seconds

    def seconds_left(self, to_begin: int) -> float | None:
        """Of the sweep, with so many trials to begin; None before there is anything to go by."""
        working, now = list(self._working.values()), self._clock()  # at once: another thread asks
        budget = self._config.budget_epochs
        if budget is not None:
            return self._seconds_of_epochs(budget - self.spent, working, now)
        if not self._ended:
            return None
        typical = self._ended_seconds / self._ended
        left = [each.left(typical, now) for each in working]
        return max([(to_begin * typical + sum(left)) / self._most_working, *left])

    def _seconds_of_epochs(self, epochs: int, working: list[_Worked], now: float) -> float | None:
        if not self._trained or epochs <= 0:
            return None
        typical = self._seconds / self._trained
        done = sum(min(typical, now - each.since) for each in working if each.since is not None)
        return max(0.0, epochs * typical - done) / self._most_working
