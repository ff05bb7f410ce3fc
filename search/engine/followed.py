"""Every trial of a sweep as it is now; whoever follows the sweep hears of each change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.engine.limits import FailureLimit
from search.engine.observers import Observer, Stop, StopObserver
from search.engine.retention import Retention
from search.study.checkpoints import CheckpointStore
from search.study.ledger import Ledger
from search.study.records import TrialRecord


class FollowedTrials:
    """The trials' records, newer than any that an observer has.

    Args:
        ledger: the study.
        config: the sweep.
        checkpoints: of the sweep; those that nothing needs any more are deleted.
        observers: told of every change after it is in the study.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> from search.policy.making import make_policy
        >>> from search.policy.settling import settled
        >>> from spaces.quickstart import SPACE
        >>> config = settled(SweepConfig(name="a", space=SPACE, objective="math:exp", trials=1, max_epochs=1))
        >>> ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
        >>> trials = FollowedTrials(ledger, config, CheckpointStore(config.checkpoint_root), observers=[])
        >>> trials.changed(ledger.ask())
        >>> trials[0].state.name, len(trials.all)
        ('RUNNING', 1)
    """

    def __init__(
        self,
        ledger: Ledger,
        config: SweepConfig,
        checkpoints: CheckpointStore,
        observers: Sequence[Observer],
    ) -> None:
        self._records = {record.number: record for record in ledger.records()}
        self._observers = observers
        self._failures = FailureLimit(config)
        for observer in observers:
            observer.sweep_opened(self.all)
        unended = ledger.unfinished() + ledger.queued()
        self._retention = Retention(checkpoints, config, self._records.values(), unended, self._drop)
        self._ledger = ledger

    @property
    def all(self) -> list[TrialRecord]:
        """The records, by number."""
        return [record for _, record in sorted(self._records.items())]

    @property
    def by_number(self) -> Mapping[int, TrialRecord]:
        """The records, the newest trial last."""
        return self._records

    def __getitem__(self, number: int) -> TrialRecord:
        return self._records[number]

    def begun(self, number: int) -> None:
        """A worker gets a trial, and saves checkpoints from now on."""
        self._retention.started(number)

    def changed(self, record: TrialRecord) -> None:
        """A trial is another than before, in the study."""
        self._records[record.number] = record
        for observer in self._observers:
            observer.trial_changed(record)
        if record.frozen:
            self._failures.tried(record)
            self._retention.froze(record)
        elif record.state is not TrialState.RUNNING:
            self._failures.tried(record)
            self._retention.ended(record)

    def too_many_failed(self) -> bool:
        """Whether so many trials have failed under this driver that no more are to be started."""
        return self._failures.reached()

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        """The driver is to end before the sweep is done; see `StopObserver`."""
        for observer in self._observers:
            if isinstance(observer, StopObserver):
                observer.stop_requested(reason, grace_s)

    def _drop(self, number: int) -> None:
        """A frozen trial's checkpoint is about to go, and it knows."""
        self.changed(self._ledger.note_dropped(number))
