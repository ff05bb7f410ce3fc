"""A study as its only writer holds it: read from memory, written to the database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from optuna._typing import JSONSerializable  # the types of the methods below
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from search.sweep_storage import SweepStorage


class StudyMirror(InMemoryStorage):
    """One study of a storage, for the process that holds its lease.

    Optuna's own cache asks the database again and again for what other processes may have written; a
    sweep's driver knows that there are none. So sampling and pruning never touch the database. After an
    error in a write memory may be ahead of it: open the study anew. Memory comes first in each write, for
    it refuses what a trial's state does not allow.

    Trials have other ids in here than there: their numbers.
    """

    def __init__(self, backend: BaseStorage, study_name: str) -> None:
        super().__init__()
        self._backend = backend
        self._source_id = backend.get_study_id_from_name(study_name)
        study_id = super().create_new_study(backend.get_study_directions(self._source_id), study_name)
        for key, value in backend.get_study_user_attrs(self._source_id).items():
            super().set_study_user_attr(study_id, key, value)
        for key, value in backend.get_study_system_attrs(self._source_id).items():
            super().set_study_system_attr(study_id, key, value)
        self._source_ids: list[int | None] = []  # of each trial, by number; None: it is not written yet
        for trial in backend.get_all_trials(self._source_id, deepcopy=False):
            self._source_ids.append(trial._trial_id)
            super().create_new_trial(study_id, trial)
        self._joined = False

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Join what is written in here into one transaction; a new trial is written with its parameters."""
        database = self._backend
        with database.joined() if isinstance(database, SweepStorage) else contextlib.nullcontext():
            self._joined = True
            try:
                yield
            finally:
                self._joined = False
            if self._source_ids and self._source_ids[-1] is None:
                self._create(len(self._source_ids) - 1)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """In memory; in the database too, now or at the end of `at_once`."""
        number = super().create_new_trial(study_id, template_trial)
        self._source_ids.append(None)
        if not self._joined:
            self._create(number)
        return number

    def _create(self, number: int) -> None:
        database, trial = self._backend, self._get_trial(number)
        if isinstance(database, SweepStorage):
            self._source_ids[number] = database.insert_trial(self._source_id, trial)
        else:
            self._source_ids[number] = database.create_new_trial(self._source_id, trial)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """As the others below: in the database and in memory."""
        self._backend.set_study_user_attr(self._source_id, key, value)
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: JSONSerializable) -> None:
        self._backend.set_study_system_attr(self._source_id, key, value)
        super().set_study_system_attr(study_id, key, value)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        if (source_id := self._source_ids[trial_id]) is not None:
            self._backend.set_trial_param(source_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        changed = super().set_trial_state_values(trial_id, state, values)
        if (source_id := self._source_ids[trial_id]) is not None:
            if isinstance(self._backend, SweepStorage):
                self._backend.write_state(source_id, self._get_trial(trial_id))
            else:
                self._backend.set_trial_state_values(source_id, state, values)
        return changed

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        if (source_id := self._source_ids[trial_id]) is not None:
            self._backend.set_trial_intermediate_value(source_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_user_attr(trial_id, key, value)
        if (source_id := self._source_ids[trial_id]) is not None:
            self._backend.set_trial_user_attr(source_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: JSONSerializable) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        if (source_id := self._source_ids[trial_id]) is not None:
            self._backend.set_trial_system_attr(source_id, key, value)
