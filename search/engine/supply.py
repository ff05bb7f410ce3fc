"""The trial for a free slot: one that waits for a worker, or else a frozen one, thawed, or a new one."""

from __future__ import annotations

from collections.abc import Callable

from optuna.trial import TrialState

from search.config.sweep_config import SweepConfig
from search.engine.asking import ask_for_trials
from search.engine.followed import FollowedTrials
from search.engine.limits import TimeBudget
from search.engine.messages import Assignment
from search.engine.waiting import WaitingTrials
from search.study.ledger import Ledger
from search.study.promotion import Ask, Thaw
from search.study.records import TrialRecord, interrupted_origins


class Supply:
    """A sweep's next trials, until there are none.

    Args:
        ledger: the study, open for writing.
        config: the sweep.
        trials: as they are now.
        slots: how many trials may run at the moment.
        clock: monotonic seconds.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> from search.policy.making import make_policy
        >>> from search.policy.settling import settled
        >>> from search.study.checkpoints import CheckpointStore
        >>> from spaces.quickstart import SPACE
        >>> config = settled(SweepConfig(name="a", space=SPACE, objective="math:exp", trials=1, max_epochs=1))
        >>> ledger = Ledger.open(config, InMemoryStorage(), make_policy(config))
        >>> trials = FollowedTrials(ledger, config, CheckpointStore(config.checkpoint_root), observers=[])
        >>> supply = Supply(ledger, config, trials, slots=lambda: 1, clock=lambda: 0.0)
        >>> supply.next(alone=True).number, supply.next(alone=False) is None
        (0, True)
    """

    def __init__(
        self,
        ledger: Ledger,
        config: SweepConfig,
        trials: FollowedTrials,
        slots: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._config = config
        self._trials = trials
        self._slots = slots
        self._time = TimeBudget(config, clock)
        self._waiting = WaitingTrials(map(ledger.record, ledger.unfinished()), clock)

    @property
    def out_of_time(self) -> bool:
        """Whether the time budget is used up."""
        return self._time.used_up

    @property
    def cut_short(self) -> bool:
        """Whether what would come next is not begun, for it would hardly end in time."""
        return self._time.closed and self._ledger.choose() is not None

    @property
    def exhausted(self) -> bool:
        """Whether nothing waits, is frozen or may be asked for, of what is begun at all."""
        if self._ledger.choose():
            return self._time.closed and not self._waiting
        return not self._waiting and not self._ledger.frozen()

    def next(self, *, alone: bool) -> TrialRecord | None:
        """A trial for a free slot, taken on; None if there is none to start now.

        Args:
            alone: nothing is being worked on.
        """
        if alone and self._waiting.soon:
            return None
        if not self._waiting.ready:
            self._ask()
        number = self._waiting.take(alone=alone)
        if number is None:
            if alone:
                self._end_frozen()
            return None
        return self._ledger.adopt(number)

    def assignment(self, record: TrialRecord) -> Assignment:
        """A trial as it is handed to a worker."""
        params = self._config.configuration(record.params)
        origins = interrupted_origins(record, self._trials.by_number)
        seed = self._config.seed + (origins[-1] if origins else record.number)
        # A trial that is thawed without a checkpoint begins again, which its hand-out has priced.
        known = record.resumes_at if record.thawed else len(record.epochs)
        return Assignment(record.number, params, seed, known, tuple(origins), record.until)

    def take_back(self, number: int, times_lost: int = 0) -> float:
        """A trial's worker is gone: it is the next, after as many seconds as are returned."""
        return self._waiting.rejoin(number, times_lost)

    def _ask(self) -> None:
        known = self._trials.by_number.values()
        match self._ledger.choose():
            case Thaw() as choice if self._time.worth_starting(known):
                self._put_in_line(self._ledger.thaw(choice))
            case Ask() as choice if self._time.worth_starting(known):
                for record in ask_for_trials(self._ledger, self._config, choice, self._slots(), known):
                    self._put_in_line(record)

    def _put_in_line(self, record: TrialRecord) -> None:
        if record.state is TrialState.RUNNING:
            self._waiting.join([record.number])
        else:  # enqueued with values that the space does not hold, or ended by somebody else
            self._trials.changed(record)

    def _end_frozen(self) -> None:
        """The sweep has come to its end by itself: what is still frozen will not be thawed any more."""
        if not self._waiting and self._ledger.choose() is None:
            for record in self._ledger.end_frozen():
                self._trials.changed(record)
