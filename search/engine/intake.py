"""What workers say of trials, taken into the study: epochs, ends, failures, losses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.engine.followed import FollowedTrials
from search.engine.messages import Message
from search.engine.observers import Stop
from search.engine.waiting import MOST_DRIVERS
from search.study.ledger import Ledger
from search.study.records import Epoch, Outcome, StopReason, TrialRecord
from search.study.transitions import Decision

_KILLS_DRIVERS = "%d drivers in a row died while it was trained; `retry_failed` trains it once more"

_logger = logging.getLogger(__name__)


class Intake:
    """Writes down what becomes of trials, and lets whoever follows the sweep hear of it.

    Args:
        ledger: the study, open for writing.
        config: the sweep.
        trials: as they are now.
        request_stop: called when so many trials have failed that the sweep is to stop.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> from search.policy.making import make_policy
        >>> from search.policy.settling import settled
        >>> from search.study.checkpoints import CheckpointStore
        >>> from spaces.quickstart import SPACE
        >>> config = settled(SweepConfig(name="a", space=SPACE, objective="math:exp", trials=1, max_epochs=1))
        >>> ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
        >>> trials = FollowedTrials(ledger, config, CheckpointStore(config.checkpoint_root), observers=[])
        >>> intake = Intake(ledger, config, trials, request_stop=print)
        >>> number = ledger.ask().number
        >>> intake.started(number)
        >>> intake.take_in(number, Message(epochs=(Epoch(1, {"val_acc": 0.5}, 0, "host:1"),)))
        <Decision.CONTINUE: 'continue'>
        >>> trials[number].epochs[0].metrics
        {'val_acc': 0.5}
    """

    def __init__(
        self,
        ledger: Ledger,
        config: SweepConfig,
        trials: FollowedTrials,
        request_stop: Callable[[Stop], None],
    ) -> None:
        self._ledger = ledger
        self._config = config
        self._trials = trials
        self._request_stop = request_stop

    def trains(self, number: int) -> bool:
        """Whether a trial has neither ended nor been frozen."""
        return self._ledger.record(number).outcome is Outcome.RUNNING

    def started(self, number: int) -> None:
        """A worker has taken a trial."""
        self._trials.changed(self._ledger.start(number))

    def take_in(self, number: int, message: Message) -> Decision:
        """Write down what a worker says of its trial; whether it goes on, as far as the trial decides that.

        One that raises goes on: its worker is about to fail, and Ray to discard it.
        """
        raises = message.failure not in (None, StopReason.DIVERGED)
        if not self.trains(number):  # somebody else has ended it
            return Decision.CONTINUE if raises else Decision.STOP
        if message.failure is StopReason.DIVERGED:
            self._trials.changed(self._ledger.diverge(number, message.error))
            return Decision.STOP
        if message.failure:
            self.failed(number, message.failure, message.error)
            return Decision.CONTINUE
        if message.finished:
            record = self._ledger.complete(number)
            self._concluded(record)
            return Decision.COMPLETE if record.state is TrialState.COMPLETE else Decision.STOP
        return self._judged(number, message.epochs)

    def failed(self, number: int, reason: StopReason, error: str) -> None:
        """A trial cannot go on."""
        self._concluded(self._ledger.fail(number, reason, error))

    def lost(self, number: int, reason: StopReason, error: str) -> TrialRecord:
        """A trial's worker is gone; the trial may go on with another."""
        record = self._ledger.lose(number, reason, error)
        self._concluded(record)
        return record

    def settled(self, record: TrialRecord) -> bool:
        """Whether an adopted trial has ended, or only lacks an ending that the last driver did not write."""
        if record.state is TrialState.RUNNING:
            if len(record.epochs) >= self._config.max_epochs:
                record = self._ledger.complete(record.number)
            elif record.drivers_lost >= MOST_DRIVERS:
                record = self._ledger.fail(
                    record.number, StopReason.LOST, _KILLS_DRIVERS % record.drivers_lost
                )
                _logger.warning("%s is given up: %s", record.key, record.error)
            else:
                return False
        self._concluded(record)
        return True

    def _judged(self, number: int, epochs: Sequence[Epoch]) -> Decision:
        for epoch in epochs:
            record, decision = self._ledger.report(number, epoch)
            self._trials.changed(record)
            if decision is not Decision.CONTINUE:
                return decision
        return Decision.CONTINUE

    def _concluded(self, record: TrialRecord) -> None:
        self._trials.changed(record)
        if record.state is TrialState.FAIL and self._trials.too_many_failed():
            self._request_stop(Stop.FAILURES)
