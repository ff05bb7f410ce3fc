"""Each private name of Optuna's that this project uses is still what it was; says which one has changed."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import CmaEsSampler, GPSampler, GridSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from search.study import optuna_private
from search.study.optuna_private import LazyRandomState

GRID = {"lr": [0.1, 0.2]}
COLUMNS = {
    optuna_private.STUDIES: "study_id study_name",
    optuna_private.TRIALS: "trial_id number study_id state datetime_start datetime_complete",
    optuna_private.PARAMS: "param_id trial_id param_name param_value distribution_json",
    optuna_private.VALUES: "trial_value_id trial_id objective value value_type",
    optuna_private.INTERMEDIATE_VALUES: (
        "trial_intermediate_value_id trial_id step intermediate_value intermediate_value_type"
    ),
    optuna_private.USER_ATTRS: "trial_user_attribute_id trial_id key value_json",
    optuna_private.SYSTEM_ATTRS: "trial_system_attribute_id trial_id key value_json",
}


def study_of(count: int = 3) -> optuna.Study:
    """A study of completed trials with the values 0, 1, 2 and so on."""
    study = optuna.create_study(sampler=RandomSampler(seed=0), pruner=HyperbandPruner())
    for value in range(count):
        study.add_trial(
            create_trial(params={"lr": 0.1}, distributions={"lr": FloatDistribution(0, 1)}, value=value)
        )
    return study


def columns_are_those_that_are_written() -> bool:
    return all({c.name for c in table.c} == set(names.split()) for table, names in COLUMNS.items())


def infinity_has_a_column_of_its_own() -> bool:
    stored = optuna_private.stored_value(float("inf"))
    return set(stored) == {"value", "value_type"} and stored["value"] in (None, 0.0)


def nothing_has_one_too() -> bool:
    stored = optuna_private.stored_intermediate_value(float("nan"))
    return set(stored) == {"intermediate_value", "intermediate_value_type"}


def a_trial_can_be_replaced_and_forgotten() -> bool:
    storage = optuna_private.TrialsInMemory()
    study = optuna.create_study(storage=storage)
    study.ask(), study.ask()
    changed = create_trial(state=TrialState.FAIL)
    storage.replace_trial(0, changed)
    storage.forget_newest(storage.get_study_id_from_name(study.study_name))
    states = [trial.state for trial in study.get_trials()]
    return states == [TrialState.FAIL] and study.ask().number == 1 and storage.trial(0) is changed


def a_trial_has_its_id_in_the_storage() -> bool:
    storage = InMemoryStorage()
    optuna.create_study(storage=storage).ask()
    trial = optuna.create_study(storage=storage).ask()
    [frozen] = trial.study.get_trials()
    return (optuna_private.storage_id(frozen), frozen.number) == (1, 0)


def samplers_see_the_trials_that_they_are_shown() -> bool:
    study = study_of()
    trials = optuna_private.every_trial(study)
    seen = optuna_private.with_trials(study, trials[1:])
    asked = inspect.signature(optuna.Study._get_trials)
    answered = inspect.signature(type(seen)._get_trials)
    return seen._get_trials(deepcopy=False) == trials[1:] and list(asked.parameters) == list(
        answered.parameters
    )


def tpe_has_an_order_of_its_trials() -> bool:
    study = study_of()
    return [trial.number for trial in optuna_private.best_for_tpe(study, study.trials, 2)] == [0, 1]


def samplers_draw_from_lazy_random_states() -> bool:
    space = {"lr": [0.1]}
    samplers = (
        RandomSampler(),
        TPESampler(),
        GPSampler(),
        CmaEsSampler(),
        QMCSampler(),
        GridSampler(space),
    )
    return isinstance(LazyRandomState(0).rng, np.random.RandomState) and all(
        any(isinstance(part, LazyRandomState) for part in vars(sampler).values())
        or any(isinstance(part, RandomSampler) for part in vars(sampler).values())
        for sampler in samplers
    )


def gp_keeps_its_last_fit() -> bool:
    sampler = GPSampler(seed=0)
    known = {"_gprs_cache_list", "_constraints_gprs_cache_list"} <= vars(sampler).keys()
    optuna_private.forget_fit(sampler)
    return known and sampler._gprs_cache_list is None and sampler._constraints_gprs_cache_list is None


def a_grid_has_its_values_and_a_generator() -> bool:
    return optuna_private.drawn_from_grid(GridSampler(GRID, seed=0), "lr") in GRID["lr"]


def a_grids_trial_says_so() -> bool:
    study = optuna.create_study(sampler=GridSampler(GRID, seed=0))
    study.ask()
    return optuna_private.is_grid_point(study.trials[0])


def an_enqueued_trial_says_with_what() -> bool:
    study = study_of(0)
    study.ask()
    study.enqueue_trial({"lr": 0.5})
    return [optuna_private.enqueued_params(trial) for trial in study.trials] == [None, {"lr": 0.5}]


def constraints_can_be_left_out() -> bool:
    study = study_of(0)
    trial = study.ask()
    trial.set_constraint("diverged", 1.0)
    study.tell(trial, 1.0)
    bound = study.trials[0]
    return bool(bound.constraints) and not optuna_private.without_constraints(bound).constraints


CONTRACT: dict[str, Callable[[], bool]] = {
    "models": columns_are_those_that_are_written,
    "value_to_stored_repr": infinity_has_a_column_of_its_own,
    "intermediate_value_to_stored_repr": nothing_has_one_too,
    "_get_trial, _set_trial, _studies, _trial_id_to_study_id_and_number, _max_trial_id": (
        a_trial_can_be_replaced_and_forgotten
    ),
    "_trial_id": a_trial_has_its_id_in_the_storage,
    "_get_trials": samplers_see_the_trials_that_they_are_shown,
    "_split_trials": tpe_has_an_order_of_its_trials,
    "LazyRandomState": samplers_draw_from_lazy_random_states,
    "_gprs_cache_list": gp_keeps_its_last_fit,
    "_search_space, _rng": a_grid_has_its_values_and_a_generator,
    "grid_id": a_grids_trial_says_so,
    "fixed_params": an_enqueued_trial_says_with_what,
    "constraints": constraints_can_be_left_out,
}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("names", CONTRACT)
def test_optuna_still_has_it_as_it_was(names: str) -> None:
    told = (
        f"Optuna {optuna.__version__} has changed its private `{names}`: read in the docstring of "
        "search/study/optuna_private.py what it is needed for"
    )
    try:
        kept = CONTRACT[names]()
    except Exception as error:  # a name that is gone raises in whatever way
        pytest.fail(f"{told} ({type(error).__name__}: {error})")
    assert kept, told


def test_the_docstring_names_each_private_name_that_the_room_uses() -> None:
    tree = ast.parse(inspect.getsource(optuna_private))
    own = {"_study", "_trials"} | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    } - {"_get_trials"}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    private = {name for name in used if re.match(r"_[a-z]", name)} - own
    told = optuna_private.__doc__ or ""
    assert private
    assert {name for name in private if not re.search(rf"\b{name}`", told)} == set()
