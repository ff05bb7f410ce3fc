"""Arguments that a sampler or pruner can do nothing with are refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from sweep_makers import CONDITIONAL, DISCRETE, sweep_config

from search.errors import UserError
from search.policy.rehearsal import rehearse


@pytest.mark.parametrize(
    ("sampler", "args"),
    [
        ("tpe", {"n_ei_candidates": 0}),
        ("tpe", {"n_ei_candidates": 0, "n_startup_trials": 1000}),
        ("tpe", {"prior_weight": -1.0}),
        ("cmaes", {"popsize": 0}),
        ("cmaes", {"x0": {"lr": 0.1}}),
    ],
)
def test_a_sampler_that_would_give_way_in_the_middle(sampler: str, args: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="cannot work with") as refusal:
        rehearse(sweep_config(sampler=sampler, sampler_args=args))
    assert str(args) in str(refusal.value)


def test_a_pruner_that_would_give_way_at_its_first_epoch() -> None:
    with pytest.raises(UserError, match=r"cannot work with .*'max_resource': 0"):
        rehearse(sweep_config(pruner="hyperband", pruner_args={"max_resource": 0}))


@pytest.mark.parametrize(
    ("sampler", "args"),
    [
        ("tpe", {"multivariate": True, "group": True, "n_startup_trials": 0}),
        ("gp", {"n_startup_trials": 2}),
        ("cmaes", {"popsize": 4, "n_startup_trials": 500}),
        ("qmc", {"qmc_type": "halton"}),
    ],
)
@pytest.mark.parametrize("space", [DISCRETE, CONDITIONAL], ids=lambda space: str(space.name))
def test_what_they_can_work_with_is_taken(sampler: str, args: dict[str, Any], space: Any) -> None:
    rehearse(sweep_config(sampler=sampler, sampler_args=args, space=space))


def test_the_points_of_a_grid_are_its_spaces() -> None:
    with pytest.raises(UserError, match="a grid is the space's own, so leave it out"):
        rehearse(sweep_config(sampler="grid", space=DISCRETE, sampler_args={"search_space": {"depth": [1]}}))
