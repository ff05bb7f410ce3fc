"""The cost model puts trials in the order in which their epochs take longest."""

from __future__ import annotations

import itertools

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sweep_makers import epoch, record

from search.policy.expected_cost import ExpectedCost
from search.study.records import Epoch, TrialRecord
from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="costs",
    description="Two parameters that cost and one that does not.",
    parameters={
        "depth": IntDistribution(1, 3),
        "width": CategoricalDistribution((16, 32, 48)),
        "lr": FloatDistribution(1e-3, 1.0, log=True),
    },
)


def timed_epoch(number: int, seconds: float) -> Epoch:
    return epoch(number, metrics={"val_acc": 0.5, "epoch_s": seconds})


def timed(number: int, depth: int, width: int, lr: float, seconds: float | None) -> TrialRecord:
    epochs = () if seconds is None else (timed_epoch(1, seconds), timed_epoch(2, seconds))
    return record(number, params={"depth": depth, "width": width, "lr": lr}, epochs=epochs)


def seconds_of(depth: int, width: int) -> float:
    return 0.2 * (1 + depth) * (width / 16) ** 1.5


def test_trials_never_seen_are_ordered_by_what_their_parameters_cost() -> None:
    grid = list(itertools.product((1, 2, 3), (16, 32, 48)))
    seen = [timed(n, d, w, 0.1, seconds_of(d, w)) for n, (d, w) in enumerate(grid) if (d, w) != (3, 48)]
    cost = ExpectedCost(SPACE, seen)
    unseen = [timed(100 + n, d, w, 0.9, None) for n, (d, w) in enumerate(grid)]
    longest = sorted(unseen, key=cost.order, reverse=True)
    assert longest[0].params["depth"] == 3
    assert longest[0].params["width"] == 48
    assert (longest[-1].params["depth"], longest[-1].params["width"]) == (1, 16)


@pytest.mark.parametrize("epochs_seen", [0, 4])
def test_too_few_trials_leave_the_order_alone(epochs_seen: int) -> None:
    seen = [timed(n, 1 + n % 3, 16, 0.1, 1.0 + n) for n in range(epochs_seen)]
    seen.append(timed(9, 3, 48, 0.1, None))
    cost = ExpectedCost(SPACE, seen)
    assert {cost.order(timed(n, d, 32, 0.1, None)) for n, d in enumerate((1, 2, 3))} == {0.0}


def test_an_absent_conditional_parameter_is_no_obstacle() -> None:
    seen = [
        record(n, params={"width": 16 if n % 2 else 48}, epochs=(timed_epoch(1, 1.0 if n % 2 else 3.0),))
        for n in range(6)
    ]
    cost = ExpectedCost(SPACE, seen)
    assert cost.order(seen[0]) > cost.order(seen[1])
