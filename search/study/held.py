"""The trials that this driver is working on, each with what is known of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from search.study.mirror import StudyMirror
from search.study.reading import record_of
from search.study.records import TrialRecord
from search.study.transitions import IllegalTransition


class HeldTrials:
    """Trials from when this driver has asked for them, or taken them on, until they end.

    Args:
        mirror: the study's storage.

    Example:
        >>> import optuna
        >>> from optuna.storages import InMemoryStorage
        >>> storage = InMemoryStorage()
        >>> _ = optuna.create_study(storage=storage, study_name="day")
        >>> mirror = StudyMirror(storage, "day", ranges={})
        >>> study = optuna.load_study(storage=mirror, study_name="day")
        >>> held = HeldTrials(mirror)
        >>> record = held.hold(study.ask())
        >>> held.update(record.number, times_lost=1)
        >>> held.record(record.number).times_lost
        1
    """

    def __init__(self, mirror: StudyMirror) -> None:
        self._mirror = mirror
        self._held: dict[int, tuple[Trial, TrialRecord]] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._held

    def hold(self, trial: Trial) -> TrialRecord:
        """Work on a trial from now on; or know it anew, as the study has it."""
        record = self._of_mirror(trial.number)
        self._held[trial.number] = (trial, record)
        return record

    def let_go(self, number: int) -> None:
        """Work on a trial no more."""
        self._held.pop(number, None)

    def __getitem__(self, number: int) -> tuple[Trial, TrialRecord]:
        if number not in self._held:
            raise IllegalTransition(f"trial {number} is not held by this driver: ask or adopt it first")
        return self._held[number]

    def record(self, number: int) -> TrialRecord:
        """What is known of a trial, whether it is held or not."""
        if number in self._held:
            return self._held[number][1]
        return self._of_mirror(number)

    def update(self, number: int, **changes: Any) -> None:
        """Note what has changed of a trial that is held."""
        trial, record = self[number]
        self._held[number] = (trial, dataclasses.replace(record, **changes))

    @contextlib.contextmanager
    def changing(self, number: int) -> Iterator[None]:
        """One transaction on a trial; nothing of it happens if somebody else has ended the trial."""
        try:
            with self._mirror.at_once(number):
                yield
        except UpdateFinishedTrialError:
            self.let_go(number)

    def _of_mirror(self, number: int) -> TrialRecord:
        state = TrialState.RUNNING if number in self._mirror.frozen else None
        return record_of(self._mirror.get_trial(number), state)
