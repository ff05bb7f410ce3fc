"""A study as it was at one moment, in memory: it can be given to anything, for it writes to no sweep."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import optuna
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from search.config.sweep_config import SweepConfig
from search.study.opening import opened_study
from search.study.reading import record_of
from search.study.stored_epochs import without_epochs


def snapshot(config: SweepConfig) -> optuna.Study:
    """Copy a sweep's study into memory; a driver may be writing to the study.

    Raises:
        UserError: the storage does not answer, or the study is not there; says how to go on.
    """
    with opened_study(config) as study:
        return _copied(study, study.get_trials(deepcopy=False))


def with_epochs_joined(study: optuna.Study) -> optuna.Study:
    """A copy in which what each trial reported is one attribute, `epochs`, however the study packs it."""
    return _copied(study, map(_joined, study.get_trials(deepcopy=False)))


def _copied(study: optuna.Study, trials: Iterable[FrozenTrial]) -> optuna.Study:
    copied = study_in_memory(study.study_name, study.direction, trials)
    for name, value in study.user_attrs.items():
        copied.set_user_attr(name, value)
    return copied


def _joined(trial: FrozenTrial) -> FrozenTrial:
    joined, epochs = copy.copy(trial), [epoch.to_json() for epoch in record_of(trial).epochs]
    joined.user_attrs = without_epochs(trial.user_attrs)
    if epochs:
        joined.user_attrs["epochs"] = epochs
    return joined


def study_in_memory(name: str, direction: StudyDirection, trials: Iterable[FrozenTrial]) -> optuna.Study:
    """A study in memory of these trials, which get new numbers in their order."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it logs that a study in memory was created
    storage = InMemoryStorage()
    study = optuna.create_study(study_name=name, direction=direction, storage=storage)
    study_id = storage.get_study_id_from_name(name)
    for trial in trials:
        # Not `study.add_trial`, which refuses values that the space does not hold: somebody may have
        # enqueued some.
        storage.create_new_trial(study_id, template_trial=trial)
    return study
