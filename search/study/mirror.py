"""A study as its only driver holds it: read from memory, written to the database."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search.study.fitting import fitting
from search.study.optuna_private import TrialsInMemory
from search.study.reading import record_of
from search.study.stored_study import StoredStudy
from search.study.transitions import check_transition
from search.study.writes import NumberTaken


class StudyMirror(TrialsInMemory):
    """One study of a storage, for the process that holds its lease.

    Optuna's own cache asks the database again and again for what other processes may have written; a
    sweep's driver knows that there is no other driver. So sampling and pruning never touch the database.
    What somebody adds or ends by Optuna's API or dashboard is taken in by `take_in`, before a new trial is
    numbered, and when a write meets a trial that has ended. After another error in a write memory may be
    ahead of the database: open the study anew. Memory comes first in each write, for it refuses what a
    trial's state does not allow.

    A trial's id in here is its number, which is also its number in the database. A new trial is RUNNING in
    memory, so that samplers count with it, and WAITING in the database until a worker takes it (`start`). A
    frozen trial is PRUNED in memory, so that samplers learn from it, and RUNNING in the database.

    Args:
        backend: where the study is.
        study_name: its name.
        ranges: what the sweep samples from. A parameter that somebody else's trial has from a range of
            another kind is left out of that trial in here, for samplers fail over it.

    Raises:
        UserError: the study holds numbers twice, so that nothing tells whose a checkpoint is.

    Example:
        >>> import optuna
        >>> storage = optuna.storages.InMemoryStorage()
        >>> study = optuna.create_study(storage=storage, study_name="day")
        >>> mirror = StudyMirror(storage, "day", ranges={})
        >>> trial = optuna.load_study(storage=mirror, study_name="day").ask()
        >>> mirror.trial(trial.number).state.name, study.trials[0].state.name
        ('RUNNING', 'WAITING')
        >>> mirror.start(trial.number)
        >>> study.trials[0].state.name
        'RUNNING'
    """

    def __init__(self, backend: BaseStorage, study_name: str, ranges: Mapping[str, BaseDistribution]) -> None:
        super().__init__()
        self._stored = StoredStudy(backend, study_name)
        self._ranges = ranges
        self._id = super().create_new_study(self._stored.directions, study_name)
        for key, value in self._stored.user_attrs.items():
            super().set_study_user_attr(self._id, key, value)
        for key, value in self._stored.system_attrs.items():
            super().set_study_system_attr(self._id, key, value)
        self._waiting: set[int] = set()  # trials that are RUNNING in memory and WAITING in the database
        self._frozen: set[int] = set()  # trials that are PRUNED in memory and RUNNING in the database
        self._joined = False
        self.take_in()

    def take_in(self) -> bool:
        """Take in the trials that somebody else has added; returns whether there were any."""
        newer = self._stored.newer()
        for trial in newer:
            self._add(trial)
        return bool(newer)

    def take_back(self, number: int) -> None:
        """Have a trial in memory as the database does."""
        self.replace_trial(number, fitting(self._stored.read(number), self._ranges))
        self._waiting.discard(number)
        self._frozen.discard(number)

    @contextlib.contextmanager
    def at_once(self, changed: int | None = None) -> Iterator[None]:
        """Join what is written in here into one transaction; a new trial is written with its parameters.

        Args:
            changed: number of the trial that is changed.

        Raises:
            UpdateFinishedTrialError: somebody else has ended it; memory has it as the database does.
            NumberTaken: somebody else has added a trial; the new one is forgotten, so take in theirs first.
        """
        with self._taking_back(changed), self._stored.joined(changed):
            self._joined = True
            try:
                yield
            finally:
                self._joined = False
            if (new := self._stored.unstored) is not None:
                self._create(new)

    def state(self, number: int) -> TrialState:
        """A trial's state in the database, as far as this process knows."""
        if number in self._frozen:
            return TrialState.RUNNING
        return TrialState.WAITING if number in self._waiting else self.trial(number).state

    @property
    def frozen(self) -> Collection[int]:
        """Numbers of the trials that are frozen."""
        return self._frozen

    def freeze(self, number: int) -> None:
        """A trial has trained as far as it was handed out: in memory it is PRUNED until it is thawed."""
        trial = copy.copy(self.trial(number))
        assert trial.last_step is not None, "a trial is handed out for an epoch at least"
        trial.state, trial.value = TrialState.PRUNED, trial.intermediate_values[trial.last_step]
        self.replace_trial(number, trial)
        self._frozen.add(number)

    def thaw(self, number: int) -> None:
        """A frozen trial is RUNNING again, in memory too."""
        trial = copy.copy(self.trial(number))
        trial.state, trial.values = TrialState.RUNNING, None
        self.replace_trial(number, trial)
        self._frozen.discard(number)

    def start(self, number: int) -> None:
        """A worker has taken a trial: it starts now, and is RUNNING in the database too from now on."""
        if number in self._waiting:
            check_transition(number, TrialState.WAITING, TrialState.RUNNING)
            super().set_trial_state_values(number, TrialState.WAITING)  # only from here it can start
            super().set_trial_state_values(number, TrialState.RUNNING)
            self._stored.write_state(self.trial(number), None)
            self._waiting.discard(number)

    def annotate(self, number: int, key: str, value: Any) -> None:
        """Add a user attribute, also to a trial that has ended, which Optuna's own methods refuse."""
        trial = copy.copy(self.trial(number))
        trial.user_attrs = trial.user_attrs | {key: value}
        self.replace_trial(number, trial)
        self._stored.set_user_attr(number, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """In memory; in the database too, now or at the end of `at_once`."""
        while True:
            number = super().create_new_trial(study_id, template_trial)
            self._stored.number_next()
            if self.trial(number).state is TrialState.RUNNING:
                self._waiting.add(number)
            if self._joined:
                return number
            try:
                self._create(number)
                return number
            except NumberTaken:
                self.take_in()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """As the others below: in the database and in memory."""
        self._stored.set_study_user_attr(key, value)
        super().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._stored.set_study_system_attr(key, value)
        super().set_study_system_attr(study_id, key, value)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        self._stored.set_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        changed = super().set_trial_state_values(trial_id, state, values)
        if state is TrialState.RUNNING:  # taken from the queue; the database hears of it by `start`
            self._waiting.add(trial_id)
        else:
            self._stored.write_state(self.trial(trial_id), values)
            self._waiting.discard(trial_id)
        return changed

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        super().set_trial_intermediate_value(trial_id, step, intermediate_value)
        self._stored.set_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_user_attr(trial_id, key, value)
        self._stored.set_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        self._stored.set_system_attr(trial_id, key, value)

    def _add(self, trial: FrozenTrial) -> None:
        """Into memory, as stored in the database."""
        self._stored.take(trial)
        super().create_new_trial(self._id, fitting(trial, self._ranges))
        if record_of(trial).frozen:
            self.freeze(trial.number)

    def _create(self, number: int) -> None:
        """The newest trial into the database; if somebody else was quicker it goes from memory again."""
        try:
            self._stored.create(self.trial(number))
        except NumberTaken:
            self._stored.forget_newest()
            self._waiting.discard(number)
            self.forget_newest(self._id)
            raise

    @contextlib.contextmanager
    def _taking_back(self, number: int | None) -> Iterator[None]:
        """Let memory have a trial as the database does, should that refuse a change because it has ended."""
        try:
            yield
        except UpdateFinishedTrialError:
            if number is not None:
                self.take_back(number)
            raise
