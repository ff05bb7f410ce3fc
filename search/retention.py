"""Which checkpoints stay: those of unfinished trials, and the newest of the best finished ones."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable

from search.checkpoints import CheckpointStore
from search.config import SweepConfig
from search.failpoints import durable
from search.records import TrialRecord, ranked

_logger = logging.getLogger(__name__)


class Retention:
    """Deletes checkpoints as soon as nothing may need them any more.

    Args:
        checkpoints: of the sweep; what an earlier driver left is cleared up at once.
        config: tells how many finished trials keep theirs.
        records: every trial of the sweep.
        unfinished: numbers of the trials that have not ended, whether or not anybody works on them.
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
        self._finalists = self._best(records)
        self._stored = self._needed()
        _clear_up(functools.partial(checkpoints.retain, self._stored))
        for record in self._finalists:
            _clear_up(functools.partial(checkpoints.keep_newest, record.number))

    def started(self, number: int) -> None:
        """A trial trains, and saves checkpoints from now on."""
        self._unfinished.add(number)
        self._stored.add(number)

    def ended(self, record: TrialRecord) -> None:
        """A trial is done with: it is among the best now, or its checkpoints go, or another's do."""
        self._unfinished.discard(record.number)
        self._finalists = self._best([*self._finalists, record])
        needed = self._needed()
        for number in self._stored - needed:
            _clear_up(functools.partial(self._checkpoints.discard, number))
        if record.number in needed:
            _clear_up(functools.partial(self._checkpoints.keep_newest, record.number))
        self._stored &= needed

    def _needed(self) -> set[int]:
        return self._unfinished | {record.number for record in self._finalists}

    def _best(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        return ranked(records, self._config.direction)[: self._config.keep_checkpoints]


def _clear_up(delete: Callable[[], None]) -> None:
    """Delete checkpoints; what cannot be deleted stops nothing, and the next driver tries again."""
    try:
        with durable("retention"):
            delete()
    except OSError as error:
        cause = error.strerror or " ".join(str(error).split())
        _logger.warning("checkpoints that nothing needs any more stay for now (%s)", cause)
