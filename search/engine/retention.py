"""Which checkpoints stay: of unfinished trials, and the newest of the best finished and of the lost ones."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable

from search.config.sweep_config import SweepConfig
from search.study.checkpoints import CheckpointStore
from search.study.failpoints import durable
from search.study.records import TrialRecord, interrupted_origins, ranked

_logger = logging.getLogger(__name__)


class Retention:
    """Deletes checkpoints as soon as nothing may need them any more.

    Args:
        checkpoints: of the sweep; what an earlier driver left is cleared up at once.
        config: tells how many finished trials keep theirs.
        records: every trial of the sweep.
        unfinished: numbers of the trials that have not ended, whether or not anybody works on them.

    Example:
        >>> from pathlib import Path
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=2)
        >>> checkpoints = CheckpointStore(config.checkpoint_root)
        >>> retention = Retention(checkpoints, config, records=[], unfinished=[])
        >>> retention.started(0)
        >>> weights = Path("weights")
        >>> weights.mkdir()
        >>> checkpoints.save(0, (Epoch(1, {"val_acc": 0.5}, 1_000, "host:1"),), weights)
        >>> retention.ended(TrialRecord(0, TrialState.PRUNED, {"lr": 0.1}))
        >>> checkpoints.newest(0)
        (None, [])
    """

    def __init__(
        self,
        checkpoints: CheckpointStore,
        config: SweepConfig,
        records: Iterable[TrialRecord],
        unfinished: Iterable[int],
    ) -> None:
        self._checkpoints = checkpoints
        self._config = config
        self._unfinished = set(unfinished)
        self._known = {record.number: record for record in records}
        self._finalists = self._best(self._known.values())
        self._to_retry: set[int] = set()  # interrupted trials that a retry may go on from
        for record in sorted(self._known.values(), key=lambda record: record.number):
            self._note_interruption(record)
        self._stored = self._needed()
        _clear_up(functools.partial(checkpoints.retain, self._stored))
        for number in self._stored - self._unfinished:
            _clear_up(functools.partial(checkpoints.keep_newest, number))

    def started(self, number: int) -> None:
        """A trial trains, and saves checkpoints from now on."""
        self._unfinished.add(number)
        self._stored.add(number)

    def ended(self, record: TrialRecord) -> None:
        """A trial is done with: it is among the best now, or its checkpoints go, or another's do."""
        self._unfinished.discard(record.number)
        self._known[record.number] = record
        self._note_interruption(record)
        self._finalists = self._best([*self._finalists, record])
        needed = self._needed()
        for number in self._stored - needed:
            _clear_up(functools.partial(self._checkpoints.discard, number))
        if record.number in needed:
            _clear_up(functools.partial(self._checkpoints.keep_newest, record.number))
        self._stored &= needed

    def _needed(self) -> set[int]:
        return self._unfinished | self._to_retry | {record.number for record in self._finalists}

    def _note_interruption(self, record: TrialRecord) -> None:
        """One that was interrupted may be retried; when a retry has ended otherwise, none before it may."""
        if record.interrupted:
            self._to_retry.add(record.number)
        elif record.state.is_finished():
            self._to_retry -= set(interrupted_origins(record, self._known))

    def _best(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        return ranked(records, self._config.goal)[: self._config.keep_checkpoints]


def _clear_up(delete: Callable[[], None]) -> None:
    """Delete checkpoints; what cannot be deleted stops nothing, and the next driver tries again."""
    try:
        with durable("retention"):
            delete()
    except OSError as error:
        cause = error.strerror or " ".join(str(error).split())
        _logger.warning("checkpoints that nothing needs any more stay for now (%s)", cause)
