"""How many of a budget's epochs are used, and how long those that are left take at this launch's pace."""

from __future__ import annotations

from search.config.sweep_config import SweepConfig
from search.study.epochs import spent_epochs
from search.study.records import TrialRecord


class EpochPace:
    """The epochs of a sweep, counted as its trials change.

    Args:
        config: the sweep.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", budget="2x", max_epochs=3)
        >>> pace = EpochPace(config)
        >>> pace.begin()
        >>> epoch = Epoch(1, {"val_acc": 0.5, "epoch_s": 4.0}, timestamp_ms=0, worker="host:1")
        >>> pace.take(TrialRecord(0, TrialState.RUNNING, {}, (epoch,)))
        >>> pace.spent, pace.seconds_left()
        (1, 20.0)
    """

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._trials: dict[int, tuple[int, int, float]] = {}  # spent and trained epochs, seconds
        self.spent = 0
        self._trained, self._seconds = 0, 0.0  # in this launch

    def begin(self) -> None:
        """What is taken in from here on was trained in this launch."""
        self._trained, self._seconds = 0, 0.0

    def take(self, record: TrialRecord) -> None:
        """A trial is another than before."""
        spent, trained, seconds = self._trials.get(record.number, (0, 0, 0.0))
        now = spent_epochs(record, self._config.max_epochs), len(record.epochs), record.train_seconds
        self._trials[record.number] = now
        self.spent += now[0] - spent
        self._trained += now[1] - trained
        self._seconds += now[2] - seconds

    def seconds_left(self) -> float | None:
        """Of training, for the epochs that are left; None without a budget, or before anything is trained."""
        budget = self._config.budget_epochs
        if budget is None or not self._trained or budget <= self.spent:
            return None
        return (budget - self.spent) * self._seconds / self._trained
