"""What a free slot does next, as long as the sweep's size allows: by the policy's word, or a new trial."""

from __future__ import annotations

from collections.abc import Iterable

from search.config.sweep_config import SweepConfig
from search.study.budget import Budget
from search.study.epochs import EpochCount
from search.study.promotion import Ask, Left, Promotion, Thaw
from search.study.records import TrialRecord


class Choosing:
    """The next choice, worked out again when a trial or the sweep's size has changed.

    Args:
        config: the sweep.
        budget: its trials, counted.
        promotion: the part of the policy that freezes trials and thaws them, if it does.
        records: the trials that there are.

    Example:
        >>> from optuna.pruners import NopPruner
        >>> from optuna.samplers import RandomSampler
        >>> from optuna.storages import InMemoryStorage
        >>> from search.study.creating import Policy, create_or_open
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> policy = Policy(RandomSampler(seed=0), NopPruner())
        >>> study, mirror = create_or_open(config, InMemoryStorage(), policy)
        >>> Choosing(config, Budget(config, study, mirror), None, []).next()
        Ask(until=None, why='new')
    """

    def __init__(
        self,
        config: SweepConfig,
        budget: Budget,
        promotion: Promotion | None,
        records: Iterable[TrialRecord],
    ) -> None:
        self._config = config
        self._budget = budget
        self._promotion = promotion
        self._epochs = EpochCount(config.max_epochs)
        self._chosen: tuple[Left, Thaw | Ask | None] | None = None
        for record in records:
            self.changed(record)

    @property
    def freezes(self) -> bool:
        """Whether trials are handed out rung by rung."""
        return self._promotion is not None

    @property
    def reported(self) -> int:
        """Epochs that the study holds."""
        return self._epochs.reported

    def changed(self, record: TrialRecord) -> None:
        """A trial is another than before, in the study."""
        self._epochs.changed(record)
        if self._promotion is not None:
            self._promotion.changed(record)
        self._chosen = None

    def trials_left(self) -> int:
        """Trials that may still be asked for."""
        trials, epochs = self._budget.remaining(), self._epochs_left()
        if epochs is None or self.freezes:
            return trials
        return min(trials, epochs // self._config.max_epochs)

    def next(self) -> Thaw | Ask | None:
        """What a free slot does; None: nothing, until a trial that runs has changed, or for good."""
        trials = self.trials_left()
        if self._promotion is None:
            return Ask(until=None, why="new") if trials else None
        # A driver that was killed had decided so already, whatever the other slots have used since.
        if trials and (decided := self._budget.handed_out()) is not None:
            return Ask(decided.until, decided.why)
        size, enqueued = self._config.budget_epochs, self._budget.enqueued()
        left = Left(trials, self._epochs_left(), size, enqueued)
        if self._chosen is None or self._chosen[0] != left:
            self._chosen = left, self._promotion.next(left)
        return self._chosen[1]

    def _epochs_left(self) -> int | None:
        size = self._config.budget_epochs
        return None if size is None else max(0, size - self._epochs.used)
