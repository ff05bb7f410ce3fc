"""The one room that knows Optuna's private names; a new version of Optuna may change any of them.

What each is needed for, and what would break. `tests/search/study/test_optuna_private.py` names the one that
has changed.

- `optuna.storages._rdb.models`: the tables and their columns, for writes of one statement each. Optuna keeps
  their form for the databases that there are; a change comes as a migration and a new version of the schema,
  and without it every write of a sweep would fail.
- `InMemoryStorage._get_trial`, `_set_trial`, `_studies`, `_trial_id_to_study_id_and_number`,
  `_max_trial_id`: the study in memory can take a trial's new state from the database, and forget the newest
  trial. Without them a driver could not take in what a guest has ended or added.
- `FrozenTrial._trial_id`: a trial's id in its storage, which is not its number. No public name has it.
- `Study._get_trials`: what samplers ask a study for. Hyperband's part of a study has all trials there, and
  one bracket's alone in the public method. Without it samplers would see the wrong trials.
- `Study._storage`: where a sampler's note on the trial that it draws goes, which is not to be seen by users.
- `HyperbandPruner._get_bracket_id`, a trial's bracket by a hash of the study's name and the trial's number,
  and `_study`, the whole of a bracket's study. Without them a sweep's decisions would follow from its name.
- `optuna.samplers._tpe.sampler._split_trials`: the order in which TPE holds trials to be good, so that a
  bounded history keeps the right ones.
- `optuna.samplers._lazy_random_state.LazyRandomState`: what samplers draw from, found among their attributes.
  Without it a resumed sweep would not ask for the trials that the killed one would have asked for.
- `GPSampler._gprs_cache_list`, `_constraints_gprs_cache_list`: the last fits. Left alone, a fit begins where
  this process' last one ended, and a resumed sweep would ask for other trials.
- `GridSampler._search_space`, `_rng`: the grid and its generator, for a guest's trial that lies on no point.
- Keys of `system_attrs`: `fixed_params` of an enqueued trial, `grid_id` of a grid's, `constraints` as their
  beginning of constraints. Without them a guest's trials would be taken for the sweep's own, and CMA-ES warn.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from typing import Any, cast

import optuna
import sqlalchemy as sa
from optuna.pruners import HyperbandPruner
from optuna.samplers import GPSampler, GridSampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.samplers._tpe.sampler import _split_trials
from optuna.storages import InMemoryStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

__all__ = ["LazyRandomState"]  # and what is defined below


def _table(model: Any) -> sa.Table:
    table = model.__table__
    assert isinstance(table, sa.Table)
    return table


STUDIES = _table(models.StudyModel)
TRIALS = _table(models.TrialModel)
PARAMS = _table(models.TrialParamModel)
VALUES = _table(models.TrialValueModel)
INTERMEDIATE_VALUES = _table(models.TrialIntermediateValueModel)
USER_ATTRS = _table(models.TrialUserAttributeModel)
SYSTEM_ATTRS = _table(models.TrialSystemAttributeModel)
VERSION_INFO = _table(models.VersionInfoModel)


def stored_value(value: float) -> dict[str, Any]:
    """The columns of a trial's value: databases have no infinity."""
    number, kind = models.TrialValueModel.value_to_stored_repr(value)
    return {"value": number, "value_type": kind}


def stored_intermediate_value(value: float) -> dict[str, Any]:
    """The columns of a value that a trial has reported, which may be NaN too."""
    number, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
    return {"intermediate_value": number, "intermediate_value_type": kind}


def storage_id(trial: FrozenTrial) -> int:
    """A trial's id in its storage."""
    return trial._trial_id


class TrialsInMemory(InMemoryStorage):
    """Optuna's storage in memory, whose trials can be replaced and taken out again. For one study.

    Example:
        >>> import optuna
        >>> storage = TrialsInMemory()
        >>> study = optuna.create_study(storage=storage)
        >>> storage.trial(study.ask()._trial_id).state.name
        'RUNNING'
    """

    def trial(self, trial_id: int) -> FrozenTrial:
        """A trial as it is in here; not to be changed."""
        return self._get_trial(trial_id)

    def replace_trial(self, trial_id: int, trial: FrozenTrial) -> None:
        """Put a trial, which gets the id, in the place of another."""
        trial._trial_id = trial_id
        self._set_trial(trial_id, trial)

    def forget_newest(self, study_id: int) -> None:
        """Take the newest trial out, as if it had never been made."""
        trial = self._studies[study_id].trials.pop()
        del self._trial_id_to_study_id_and_number[trial._trial_id]
        self._max_trial_id -= 1


def every_trial(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that samplers look at, which in a bracket of Hyperband's are all; not to be changed."""
    return study._get_trials(deepcopy=False)


def with_trials(study: optuna.Study, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """The study as samplers see it, with these trials in the place of its own."""
    return cast(optuna.Study, _StudyOfTrials(study, trials))


class _StudyOfTrials:
    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
        self._study = study
        self._trials = trials

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        assert not deepcopy, "samplers change no trial"
        return [trial for trial in self._trials if states is None or trial.state in states]


def note(study: optuna.Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """Keep what a sampler drew a trial by in the trial's `system_attrs`."""
    study._storage.set_trial_system_attr(trial._trial_id, key, value)


class NamelessHyperband(HyperbandPruner):
    """Optuna's Hyperband, whose brackets follow from the trials' numbers, whatever the study is called.

    Optuna hashes the study's name with the number, so that a sweep would decide otherwise under another name.
    Here every study is taken to have one name; a sweep that was made before goes on as it began, by its own,
    for its trials' rungs are those of their brackets. Takes the arguments of `HyperbandPruner`.

    Example:
        >>> pruner = NamelessHyperband(max_resource=27)
        >>> trials = [optuna.create_study(study_name=name, pruner=pruner).ask() for name in ("a", "b")]
        >>> len({pruner._get_bracket_id(trial.study, trial._cached_frozen_trial) for trial in trials})
        1
    """

    _NAME = "sweep"
    _SINCE = 2  # the version of the definition that a study keeps
    hashed: str | None = None  # found out once, for it is asked for every trial of a study

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        named = cast(optuna.Study, _Named(self._hashed_name(study)))
        return super()._get_bracket_id(named, trial)

    def _hashed_name(self, study: optuna.Study) -> str:
        if self.hashed is None:
            whole = getattr(study, "_study", study)  # else a part of one
            version = whole.user_attrs.get("definition", {"version": self._SINCE}).get("version", 0)
            self.hashed = self._NAME if version >= self._SINCE else study.study_name
        return self.hashed


class _Named:
    def __init__(self, study_name: str) -> None:
        self.study_name = study_name


def best_for_tpe(study: optuna.Study, finished: list[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The trials that TPE holds to be the best, in the order of their numbers."""
    best, _ = _split_trials(study, finished, count)
    return best


def forget_fit(sampler: GPSampler) -> None:
    """Let the next fit, of the constraint too, start afresh."""
    sampler._gprs_cache_list = sampler._constraints_gprs_cache_list = None


def drawn_from_grid(sampler: GridSampler, parameter: str) -> Any:
    """One of a parameter's values in the grid, drawn by the sampler's own generator."""
    values = sampler._search_space[parameter]
    return values[sampler._rng.rng.randint(len(values))]


def is_grid_point(trial: FrozenTrial) -> bool:
    """Whether the grid sampler has taken this trial for one of its points."""
    return "grid_id" in trial.system_attrs


def enqueued_params(trial: FrozenTrial) -> Mapping[str, Any] | None:
    """The values that a trial was enqueued with; None if it was not."""
    params: Mapping[str, Any] | None = trial.system_attrs.get("fixed_params")
    return params


def without_constraints(trial: FrozenTrial) -> FrozenTrial:
    """A copy that violates no constraint."""
    free = copy.copy(trial)
    free.system_attrs = {
        key: value for key, value in trial.system_attrs.items() if not key.startswith("constraints")
    }
    return free
