"""Arguments of samplers and pruners are of the types that these say they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sweep_makers import DISCRETE, FLAT, MAXIMIZE, sweep_config

from search.driver import run_sweep
from search.errors import UserError
from search.policy.arguments import of_right_types
from search.policy.pruners import PRUNERS, make_pruner
from search.policy.samplers import SAMPLERS, make_sampler

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("tpe", {"constant_liar": "False"}, "constant_liar='False' is text, where true or false belongs"),
    ("tpe", {"group": 1}, "group=1 is a whole number, where true or false belongs"),
    ("tpe", {"multivariate": "no"}, "multivariate='no' is text, where true or false or none belongs"),
    ("tpe", {"n_startup_trials": "3"}, "n_startup_trials='3' is text, where a whole number belongs"),
    ("tpe", {"n_startup_trials": True}, "n_startup_trials=True is true or false, where a whole number"),
    ("tpe", {"n_startup_trials": 3.5}, "n_startup_trials=3.5 is a number, where a whole number belongs"),
    ("tpe", {"gamma": "auto"}, "gamma='auto' is text, where none belongs"),
    ("qmc", {"qmc_type": 3}, "qmc_type=3 is a whole number, where text belongs"),
    ("cmaes", {"sigma0": "nan"}, "sigma0='nan' is text, where a number or none belongs"),
    ("asha", {"reduction_factor": "three"}, "reduction_factor='three' is text, where a whole number"),
    ("hyperband", {"bootstrap_count": None}, "bootstrap_count=None is none, where a whole number belongs"),
    ("median", {"n_warmup_steps": "2"}, "n_warmup_steps='2' is text, where a whole number belongs"),
    ("threshold", {"lower": "low"}, "lower='low' is text, where a number or none belongs"),
    ("patient", {"patience": [2]}, r"patience=\[2\] is a list in brackets, where a whole number belongs"),
]


def make(name: str, args: dict[str, Any]) -> object:
    """The sampler or pruner of this name."""
    if name in PRUNERS:
        return make_pruner(name, 9, MAXIMIZE, args)
    return make_sampler(name, DISCRETE if name == "grid" else FLAT, 0, 4, args=args)


@pytest.mark.parametrize(("name", "args", "why"), WRONG, ids=[f"{n} {a}" for n, a, _ in WRONG])
def test_an_argument_of_another_type_is_refused(name: str, args: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        make(name, args)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("tpe", {"constant_liar": False, "multivariate": None, "prior_weight": 1}),
        ("tpe", {"n_startup_trials": 1e1}),
        ("cmaes", {"x0": {"lr": 0.1, "depth": 2}, "sigma0": 0.1}),
        ("asha", {"min_resource": "auto"}),
        ("asha", {"min_resource": 2.0}),
        ("threshold", {"lower": None, "upper": 3}),
    ],
)
def test_what_fits_is_taken(name: str, args: dict[str, Any]) -> None:
    assert make(name, args)


@pytest.mark.parametrize("kind", [*SAMPLERS.values(), *PRUNERS.values()])
def test_what_a_person_can_type_for_no_argument_is_refused_for_each(kind: Callable[..., object]) -> None:
    """Each argument of each of them is looked at: none takes a pair of brackets in braces."""
    for name in inspect.signature(kind).parameters:
        if name not in ("x0", "search_space"):
            with pytest.raises(UserError, match=f"it: {name}="):
                of_right_types(kind, "it", {name: {"a": []}})


def test_a_sweep_from_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, sampler="tpe", sampler_args={"constant_liar": "False"})
    with pytest.raises(UserError, match="sampler tpe: constant_liar='False' is text"):
        run_sweep(config, lambda params, context: None)
    assert list(tmp_path.iterdir()) == []
