"""Which checkpoints stay: of trials at work, and the newest of the best frozen, best finished and lost."""

from __future__ import annotations

import functools
import itertools
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
        unfinished: numbers of the trials that have neither ended nor been frozen, whoever works on them.
        drop: called with the number of a frozen trial before its checkpoint goes, that the study may know.

    Example:
        >>> from pathlib import Path
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=2)
        >>> checkpoints = CheckpointStore(config.checkpoint_root)
        >>> retention = Retention(checkpoints, config, records=[], unfinished=[], drop=print)
        >>> retention.started(0)
        >>> weights = Path("weights")
        >>> weights.mkdir()
        >>> epoch = Epoch(1, {"val_acc": 0.5}, 1_000, "host:1", checkpoint="trial-000/epoch-0001")
        >>> checkpoints.save(0, (epoch,), weights)
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
        drop: Callable[[int], None],
    ) -> None:
        self._checkpoints = checkpoints
        self._config = config
        self._unfinished = set(unfinished)
        self._drop = drop
        self._known = {record.number: record for record in records}
        self._frozen = {n: record for n, record in self._known.items() if record.frozen and record.resumes_at}
        self._sizes: dict[int, int] = {}  # bytes of the frozen ones' checkpoints, where these are limited
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
        self._frozen.pop(number, None)

    def froze(self, record: TrialRecord) -> None:
        """A trial waits to be thawed, from its checkpoint if that is among the best; or has lost that."""
        self._unfinished.discard(record.number)
        if record.resumes_at:
            self._frozen[record.number] = record
            self._sizes.pop(record.number, None)
            _clear_up(functools.partial(self._checkpoints.keep_newest, record.number))
            for number in self._too_many():
                self._drop(number)
            return
        self._frozen.pop(record.number, None)
        self._discard_unneeded()

    def _too_many(self) -> list[int]:
        """The frozen trials for whose checkpoints there is no room; of the longest trained the best stay."""
        goal, room = self._config.goal, self._config.keep_frozen_size
        best_first = sorted(
            self._frozen.values(),
            key=lambda r: (-len(r.epochs), goal.sort_key(r.epochs[-1].metrics[goal.metric]), r.number),
        )
        fit = best_first[: self._config.keep_frozen]
        if room is not None:
            sizes = itertools.accumulate(self._size(record.number) for record in fit)
            fit = [record for record, size in zip(fit, sizes, strict=True) if size <= room]
        return [record.number for record in best_first[len(fit) :]]

    def _size(self, number: int) -> int:
        if number not in self._sizes:
            try:
                self._sizes[number] = self._checkpoints.size(number)
            except OSError:  # a store that does not answer is asked again at the next freeze
                return 0
        return self._sizes[number]

    def ended(self, record: TrialRecord) -> None:
        """A trial is done with: it is among the best now, or its checkpoints go, or another's do."""
        self._unfinished.discard(record.number)
        self._frozen.pop(record.number, None)
        self._known[record.number] = record
        self._note_interruption(record)
        self._finalists = self._best([*self._finalists, record])
        needed = self._discard_unneeded()
        if record.number in needed:
            _clear_up(functools.partial(self._checkpoints.keep_newest, record.number))

    def _discard_unneeded(self) -> set[int]:
        """Delete the checkpoints that nothing needs any more; the numbers of the trials whose are needed."""
        needed = self._needed()
        for number in self._stored - needed:
            _clear_up(functools.partial(self._checkpoints.discard, number))
        self._stored &= needed
        return needed

    def _needed(self) -> set[int]:
        finalists = {record.number for record in self._finalists}
        return self._unfinished | set(self._frozen) | self._to_retry | finalists

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
