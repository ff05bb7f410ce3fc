"""A study where it is kept for good, written by its only driver, who calls trials by their numbers."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.errors import UserError
from search.study.optuna_private import storage_id
from search.study.writes import SweepStorage


class StoredStudy:
    """One study of a storage, of whose trials the ids are known.

    A new trial has its number before it is stored. What is written of it until then is not written: it is
    stored with all that it has.

    Args:
        storage: where it is.
        name: of the study.

    Example:
        >>> import optuna
        >>> storage = optuna.storages.InMemoryStorage()
        >>> trial = optuna.create_study(storage=storage, study_name="day").ask()
        >>> stored = StoredStudy(storage, "day")
        >>> for known in stored.newer():
        ...     stored.take(known)
        >>> stored.set_user_attr(0, "note", "slow")
        >>> stored.read(0).user_attrs
        {'note': 'slow'}
    """

    def __init__(self, storage: BaseStorage, name: str) -> None:
        self._storage = storage
        self._name = name
        self._id = storage.get_study_id_from_name(name)
        self._trials: list[int | None] = []  # ids, by number; None: it is not stored yet

    @property
    def directions(self) -> Sequence[StudyDirection]:
        """What is optimised."""
        return self._storage.get_study_directions(self._id)

    @property
    def user_attrs(self) -> Mapping[str, Any]:
        """The study's own."""
        return self._storage.get_study_user_attrs(self._id)

    @property
    def system_attrs(self) -> Mapping[str, Any]:
        """The study's own."""
        return self._storage.get_study_system_attrs(self._id)

    def set_study_user_attr(self, key: str, value: Any) -> None:
        """Write an attribute of the study; so does the next."""
        self._storage.set_study_user_attr(self._id, key, value)

    def set_study_system_attr(self, key: str, value: Any) -> None:
        self._storage.set_study_system_attr(self._id, key, value)

    def newer(self) -> list[FrozenTrial]:
        """The trials that have not been taken, in the order of their numbers."""
        known = [trial_id for trial_id in self._trials if trial_id is not None]
        if known and isinstance(self._storage, SweepStorage):
            newer = self._storage.newer_trials(self._id, known[-1])
            return [self._storage.get_trial(trial_id) for trial_id in newer]
        return self._storage.get_all_trials(self._id, deepcopy=False)[len(known) :]

    def take(self, trial: FrozenTrial) -> None:
        """Know a trial of the storage by its number from now on.

        Raises:
            UserError: the study holds numbers twice, so that nothing tells whose a checkpoint is.
        """
        if trial.number != len(self._trials):
            raise UserError(
                f"study {self._name!r} numbers its trials {trial.number} where {len(self._trials)} "
                f"should come (id {storage_id(trial)}), so checkpoints cannot be told apart: compare and "
                "report it as it is; to continue, launch a sweep under another name"
            )
        self._trials.append(storage_id(trial))

    def read(self, number: int) -> FrozenTrial:
        """A trial as it is there."""
        trial_id = self._trials[number]
        assert trial_id is not None, "it is stored"
        return self._storage.get_trial(trial_id)

    def number_next(self) -> None:
        """A new trial has the next number, and is not stored yet."""
        self._trials.append(None)

    @property
    def unstored(self) -> int | None:
        """The number of the newest trial, if it is not stored yet."""
        return len(self._trials) - 1 if self._trials and self._trials[-1] is None else None

    def forget_newest(self) -> None:
        """Its number is another's."""
        self._trials.pop()

    def create(self, trial: FrozenTrial) -> None:
        """Store the newest trial, WAITING for a worker.

        Raises:
            NumberTaken: somebody else has added a trial.
        """
        if isinstance(self._storage, SweepStorage):
            before = self._trials[trial.number - 1] if trial.number else 0
            assert before is not None, "trials are stored in the order of their numbers"
            self._trials[trial.number] = self._storage.insert_trial(self._id, trial, before)
            return
        template = copy.copy(trial)
        template.state, template.datetime_start = TrialState.WAITING, None
        self._trials[trial.number] = self._storage.create_new_trial(self._id, template)

    def joined(self, number: int | None) -> contextlib.AbstractContextManager[object]:
        """One transaction, where the storage has them, for what is written in here.

        Args:
            number: of the trial that is changed, and that nobody else may have ended.
        """
        if not isinstance(self._storage, SweepStorage):
            return contextlib.nullcontext()
        return self._storage.joined(None if number is None else self._trials[number])

    def write_state(self, trial: FrozenTrial, values: Sequence[float] | None) -> None:
        """Write a trial's state, times and values.

        Raises:
            UpdateFinishedTrialError: it has ended there.
        """
        trial_id = self._trials[trial.number]
        if isinstance(self._storage, SweepStorage) and trial_id is not None:
            self._storage.write_state(trial_id, trial)
        elif trial_id is not None:
            self._storage.set_trial_state_values(trial_id, trial.state, values)

    def set_param(self, number: int, name: str, internal: float, distribution: BaseDistribution) -> None:
        """Write a parameter of a trial; so do the next for what they are called after."""
        if (trial_id := self._trials[number]) is not None:
            self._storage.set_trial_param(trial_id, name, internal, distribution)

    def set_intermediate_value(self, number: int, step: int, value: float) -> None:
        if (trial_id := self._trials[number]) is not None:
            self._storage.set_trial_intermediate_value(trial_id, step, value)

    def set_user_attr(self, number: int, key: str, value: Any) -> None:
        if (trial_id := self._trials[number]) is not None:
            self._storage.set_trial_user_attr(trial_id, key, value)

    def set_system_attr(self, number: int, key: str, value: Any) -> None:
        if (trial_id := self._trials[number]) is not None:
            self._storage.set_trial_system_attr(trial_id, key, value)
