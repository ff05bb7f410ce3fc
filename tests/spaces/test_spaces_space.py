"""What a search space does, on one that a person would write."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from spaces.space import Condition, InvalidSpace, SearchSpace

SPACE = SearchSpace(
    name="mine",
    description="Two optimizers, one of them with momentum.",
    parameters={
        "momentum": FloatDistribution(0.8, 0.98, step=0.09),
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "nesterov": CategoricalDistribution([True, False]),
        "depth": IntDistribution(1, 3),
    },
    fixed={"batch_size": 64, "warmup": 5},
    conditions={
        "momentum": Condition("optimizer", "sgd"),
        "nesterov": Condition("optimizer", "sgd"),
        "warmup": Condition("optimizer", "adamw"),
    },
)
SGD = {"optimizer": "sgd", "momentum": 0.89, "nesterov": True, "depth": 2, "batch_size": 64}
ADAMW = {"optimizer": "adamw", "depth": 2, "batch_size": 64, "warmup": 5}


class NumpyTrial:
    """A trial whose sampler hands out NumPy numbers, as some do."""

    def suggest_float(self, name: str, low: float, high: float, **options: Any) -> float:
        return np.float64(low)

    def suggest_int(self, name: str, low: int, high: int, **options: Any) -> int:
        return np.int64(low)  # type: ignore[return-value]

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return choices[0]


@pytest.mark.parametrize("values", [SGD, ADAMW])
def test_only_what_exists_is_drawn(values: dict[str, Any]) -> None:
    assert SPACE.suggest(FixedTrial({**SGD, **values})) == values
    SPACE.check_values(values)


def test_a_trial_taken_up_again_keeps_its_configuration() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    first = study.ask()
    values = SPACE.suggest(first)
    again = optuna.trial.Trial(study, first._trial_id)
    assert SPACE.suggest(again) == values


def test_drawn_numbers_are_plain() -> None:
    drawn = SPACE.suggest(NumpyTrial())
    assert type(drawn["momentum"]) is float
    assert type(drawn["depth"]) is int


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({**SGD, "momentun": 0.9}, "no parameter 'momentun'; did you mean 'momentum'"),
        ({**ADAMW, "momentum": 0.89}, "'momentum' exists only when optimizer = 'sgd'; leave it out"),
        ({**SGD, "warmup": 5}, "'warmup' exists only when optimizer = 'adamw'; leave it out"),
        ({**SGD, "momentum": 0.9}, "'momentum' is 0.9, but has to be float 0.8..0.98, step 0.09"),
        ({**SGD, "momentum": float("nan")}, "'momentum' is nan"),
        ({**SGD, "depth": 4}, "'depth' is 4, but has to be int 1..3"),
        ({**SGD, "depth": 2.0}, "'depth' is 2.0, but has to be int 1..3"),
        ({**SGD, "depth": True}, "'depth' is True, but has to be int 1..3"),
        ({**SGD, "nesterov": 1}, "'nesterov' is 1, but has to be one of True, False"),
        ({**SGD, "batch_size": 32}, "'batch_size' is 32, but has to be fixed at 64"),
        ({**ADAMW, "optimizer": None}, "'optimizer' is None, but has to be one of 'sgd', 'adamw'"),
        ({n: v for n, v in SGD.items() if n != "depth"}, "'depth' is missing; add it: int 1..3"),
        ({n: v for n, v in SGD.items() if n != "batch_size"}, "'batch_size' is missing; add it: fixed at 64"),
    ],
)
def test_a_configuration_from_elsewhere_is_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidSpace) as caught:
        SPACE.check_values(values)
    assert told in str(caught.value)
    assert "space 'mine'" in str(caught.value)


def test_a_whole_number_will_do_for_a_float() -> None:
    space = SearchSpace(name="s", description="", parameters={"dropout": FloatDistribution(0, 0.5)})
    space.check_values({"dropout": 0})


def test_a_space_does_not_change() -> None:
    ranges = {"lr": FloatDistribution(0.1, 1.0)}
    fixed = {"width": 8}
    space = SearchSpace(name="s", description="", parameters=ranges, fixed=fixed)
    before = space.fingerprint()
    ranges["lr"].low = 0.5
    ranges["depth"] = FloatDistribution(1, 2)
    fixed["width"] = 16
    assert space.fingerprint() == before
    with pytest.raises(TypeError, match="item assignment"):
        space.parameters["lr"] = ranges["lr"]  # type: ignore[index]
    with pytest.raises(TypeError, match="item assignment"):
        space.fixed["width"] = 4  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        space.name = "other"  # type: ignore[misc]


def test_equality_is_of_name_description_and_what_is_drawn() -> None:
    renamed = replace(SPACE, name="yours")
    assert renamed != SPACE
    assert renamed.fingerprint() == SPACE.fingerprint()
    assert replace(SPACE, description="") != SPACE
    assert replace(SPACE, description="").fingerprint() == SPACE.fingerprint()
    assert {SPACE, replace(SPACE)} == {SPACE}
    assert SPACE != "mine"


def test_true_and_one_are_different_fixed_values() -> None:
    true, one = (
        replace(SPACE, fixed={"x": True}, conditions={}),
        replace(SPACE, fixed={"x": 1}, conditions={}),
    )
    assert true != one
    assert true.difference(one) == ["x: fixed at True -> fixed at 1"]


def test_the_difference_reads_well() -> None:
    parameters = {
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(8, 32, step=8),
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "momentum": FloatDistribution(0.8, 0.99),
        "depth": IntDistribution(1, 3),
    }
    sgd = {"momentum": Condition("optimizer", "sgd")}
    old = SearchSpace(
        name="a", description="", parameters=parameters, fixed={"batch_size": 64}, conditions=sgd
    )
    new = SearchSpace(
        name="b",
        description="",
        parameters={
            "lr": FloatDistribution(1e-3, 1.0, log=True),
            "optimizer": CategoricalDistribution(["sgd", "adamw"]),
            "momentum": FloatDistribution(0.8, 0.99),
            "batch_size": CategoricalDistribution([64, 128]),
            "depth": IntDistribution(1, 3),
        },
        fixed={"dropout": 0.1},
    )
    assert old.difference(new) == [
        "lr: float 0.0001..1.0, log -> float 0.001..1.0, log",
        "width: removed",
        "momentum: float 0.8..0.99, only when optimizer = 'sgd' -> float 0.8..0.99",
        "batch_size: fixed at 64 -> one of 64, 128",
        "dropout: added, fixed at 0.1",
    ]


def test_the_description_keeps_the_order_it_was_written_in() -> None:
    assert SPACE.describe() == [
        ("momentum", "float 0.8..0.98, step 0.09, only when optimizer = 'sgd'"),
        ("optimizer", "one of 'sgd', 'adamw'"),
        ("nesterov", "one of True, False, only when optimizer = 'sgd'"),
        ("depth", "int 1..3"),
        ("batch_size", "fixed at 64"),
        ("warmup", "fixed at 5, only when optimizer = 'adamw'"),
    ]


def test_size_counts_what_a_condition_leaves_out_once() -> None:
    # sgd: 3 momenta times 2 nesterov; adamw: 1; times 3 depths.
    assert SPACE.size() == (3 * 2 + 1) * 3


def test_a_continuous_range_has_neither_size_nor_grid() -> None:
    lr, decay = FloatDistribution(1e-3, 1.0, log=True), FloatDistribution(0, 1)
    space = SearchSpace(
        name="s", description="", parameters={"lr": lr, "x": IntDistribution(1, 2), "d": decay}
    )
    assert space.size() is None
    with pytest.raises(InvalidSpace, match=r"'s' has no grid: lr, d can .* give step=, use a Categorical"):
        space.grid()


def test_a_conditional_space_has_no_grid() -> None:
    with pytest.raises(
        InvalidSpace, match=r"no grid: momentum, nesterov exist only under a condition; remove"
    ):
        SPACE.grid()


def test_optunas_grid_sampler_visits_the_whole_grid() -> None:
    space = SearchSpace(
        name="s",
        description="",
        parameters={
            "dropout": FloatDistribution(0.1, 0.4, step=0.1),
            "width": IntDistribution(8, 24, step=8),
            "head": CategoricalDistribution([64, None]),
            "lr": FloatDistribution(0.1, 0.1),
        },
    )
    grid = space.grid()
    assert grid["dropout"] == [0.1, 0.2, 0.3, 0.4]
    assert grid["lr"] == [0.1]
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(grid, seed=0))
    study.optimize(lambda trial: float(space.suggest(trial)["width"] or 0))
    assert (
        len({tuple(trial.params.items()) for trial in study.trials})
        == len(study.trials)
        == space.size()
        == 24
    )
