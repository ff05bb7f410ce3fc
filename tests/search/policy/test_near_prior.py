"""Some trials are drawn near what is believed, ever fewer; which and where follows from seed and number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from sweep_makers import CONDITIONAL, open_ledger, run_trial, sweep_config

from search.policy.near_prior import share
from spaces.space import Condition, SearchSpace

SPACE = SearchSpace(
    name="mine",
    description="A range, a whole number, a choice.",
    parameters={
        "lr": FloatDistribution(1e-5, 1, log=True),
        "depth": IntDistribution(1, 20),
        "optimizer": CategoricalDistribution(["sgd", "adamw", "muon"]),
    },
)
GOOD = {"lr": 1e-4, "depth": 18, "optimizer": "muon"}


def drawn(trials: int = 40, **fields: Any) -> list[Mapping[str, Any]]:
    config = sweep_config(
        **{"space": SPACE, "sampler": "random", "trials": trials, "pruner": "none", **fields}
    )
    ledger = open_ledger(config)
    return [run_trial(ledger, [0.5]).params for _ in range(trials)]


def near(params: Mapping[str, Any]) -> bool:
    return (
        abs(math.log10(params["lr"] / 1e-4)) < 1.5 and params["depth"] > 12 and params["optimizer"] == "muon"
    )


def test_half_of_the_first_trials_and_ever_fewer_lie_near_what_is_believed() -> None:
    several = [drawn(prior=[GOOD], seed=seed) for seed in range(6)]
    first = [near(params) for trials in several for params in trials[:10]]
    last = [near(params) for trials in several for params in trials[-10:]]
    without = [near(params) for params in drawn(60)]
    assert sum(without) < 10
    assert 15 < sum(first) < 40
    assert sum(last) < sum(first)
    assert share(0) == 0.5


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "cmaes", "qmc", "curves"])
def test_every_sampler_but_the_grid_does_so(sampler: str) -> None:
    found = [
        near(params) for seed in range(3) for params in drawn(8, sampler=sampler, prior=[GOOD], seed=seed)
    ]
    assert sum(found) > 3


def test_a_resumed_sweep_draws_what_an_undisturbed_one_would() -> None:
    config = sweep_config(space=SPACE, sampler="tpe", trials=20, pruner="none", prior=[GOOD])
    storage, resumed = InMemoryStorage(), []
    for _ in range(12):
        resumed.append(run_trial(open_ledger(config, storage), [0.5]).params)
    undisturbed = open_ledger(config)
    assert resumed == [run_trial(undisturbed, [0.5]).params for _ in range(12)]


def test_what_nothing_is_believed_of_is_drawn_anywhere() -> None:
    found = drawn(60, prior=[{"optimizer": "muon"}])
    depths = {params["depth"] for params in found if params["optimizer"] == "muon"}
    assert max(depths) - min(depths) > 12


def test_the_best_belief_is_drawn_near_most_often() -> None:
    others = [{**GOOD, "lr": 1.0}, {**GOOD, "lr": 1e-2}]
    found = [params["lr"] for seed in range(8) for params in drawn(15, prior=[GOOD, *others], seed=seed)]
    assert sum(lr < 1e-3 for lr in found) > sum(lr > 0.1 for lr in found)


def test_a_configuration_near_a_belief_has_only_what_exists() -> None:
    space = SearchSpace(
        name="conditional",
        description="Momentum is sgd's.",
        parameters={
            "optimizer": CategoricalDistribution(["sgd", "adamw"]),
            "momentum": FloatDistribution(0.5, 0.99),
        },
        conditions={"momentum": Condition("optimizer", "sgd")},
    )
    for params in drawn(30, space=space, prior=[{"optimizer": "sgd", "momentum": 0.9}]):
        assert ("momentum" in params) == (params["optimizer"] == "sgd")


@pytest.mark.parametrize(
    ("prior", "told"),
    [
        ([{"lr": 2.0}], "'lr' is 2.0, but has to be"),
        ([{"rate": 0.1}], "no parameter 'rate'"),
    ],
)
def test_a_belief_outside_of_the_space_is_refused(prior: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        sweep_config(space=CONDITIONAL, prior=prior)


def test_a_grid_has_no_beliefs() -> None:
    with pytest.raises(ValueError, match="a grid tries everything there is"):
        sweep_config(sampler="grid", prior=[{"lr": 0.1}])


def test_a_space_may_say_what_is_believed_of_it() -> None:
    space = SearchSpace(name="s", description="One.", parameters=SPACE.parameters, around={"lr": 0.05})
    assert space.believed([{"depth": "3"}]) == [{"depth": 3}, {"lr": 0.05}]
    assert space.believed([], sampler="grid") == []
    with pytest.raises(ValueError, match="'lr' is 5"):
        SearchSpace(name="s", description="One.", parameters=SPACE.parameters, around={"lr": 5.0})
