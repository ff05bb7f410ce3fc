"""The parameters that seem to matter most are shown first, and columns do not jump with each trial."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sweep_makers import record, sweep_config

from search.results.influence import Influence
from search.study.records import StopReason, TrialRecord
from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="three",
    description="One that does nothing, a choice that does something, a number that does most.",
    parameters={
        "depth": IntDistribution(1, 3),
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "lr": FloatDistribution(0.0, 1.0),
    },
)


def trial(number: int, draw: random.Random) -> TrialRecord:
    params = {"depth": draw.randint(1, 3), "optimizer": draw.choice(["sgd", "adamw"]), "lr": draw.random()}
    value = params["lr"] + 0.4 * (params["optimizer"] == "sgd")
    return record(number, params=params, value=value)


def test_they_come_in_the_order_in_which_they_matter() -> None:
    influence, draw = Influence(sweep_config(Path("nowhere"), space=SPACE)), random.Random(0)
    orders = []
    for number in range(48):
        influence.take(trial(number, draw))
        orders.append(tuple(influence.order))
    assert orders[18] == ("depth", "optimizer", "lr"), "too few trials tell nothing"
    assert orders[-1] == ("lr", "optimizer", "depth")
    assert sum(before != after for before, after in itertools.pairwise(orders)) <= 3


def test_what_diverged_is_the_worst_and_what_says_nothing_does_not_count() -> None:
    influence = Influence(sweep_config(Path("nowhere"), space=SPACE))
    same = {"depth": 1, "optimizer": "sgd"}
    for number in range(40):
        influence.take(record(number, TrialState.RUNNING, params={**same, "lr": 0.1}))
        influence.take(record(number, TrialState.FAIL, params={**same, "lr": 0.1}))
    assert list(influence.order) == list(SPACE.parameters)
    for number in range(20):
        params = {**same, "lr": number / 20}
        ended = record(number, params=params, value=0.5)
        diverged = record(number, TrialState.PRUNED, params=params, stop_reason=StopReason.DIVERGED)
        influence.take(diverged if number > 14 else ended)
    assert influence.order[0] == "lr"
