"""Every refusal says the value, the rule and the remedy, in one line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    LogUniformDistribution,
)

from spaces.space import Condition, InvalidSpace, SearchSpace

LR = FloatDistribution(1e-3, 1.0, log=True)
OPTIMIZER = CategoricalDistribution(["sgd", "adamw"])


def space(**parts: Any) -> SearchSpace:
    return SearchSpace(**{"name": "mine", "description": "", "parameters": {"lr": LR}, **parts})


def changed(distribution: BaseDistribution, **attributes: object) -> BaseDistribution:
    """Optuna checks a range when it is made and never again, though it can be changed."""
    for name, value in attributes.items():
        setattr(distribution, name, value)
    return distribution


def refused(make: Callable[[], object], *parts: str) -> None:
    with pytest.raises(InvalidSpace) as caught:
        make()
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize(
    ("distribution", "parts"),
    [
        (changed(FloatDistribution(0, 1), low=2.0), ["from 2.0 to 1.0", "empty", "swap"]),
        (changed(IntDistribution(1, 3), high=0), ["from 1 to 0", "empty", "swap"]),
        (
            changed(FloatDistribution(0.1, 1, log=True), low=0.0),
            ["log=True from 0.0", "above 0", "leave out"],
        ),
        (changed(IntDistribution(0, 4), log=True), ["log=True from 0", "above 0"]),
        (changed(FloatDistribution(0.1, 1, log=True), step=0.1), ["log=True and step=0.1", "only one"]),
        (changed(IntDistribution(1, 9, step=2), log=True), ["log=True and step=2", "only one"]),
        (changed(IntDistribution(1, 9), step=0), ["step=0", "above 0"]),
        (FloatDistribution(float("nan"), 1), ["from nan to 1.0", "finite"]),
        (FloatDistribution(0, float("inf")), ["from 0.0 to inf", "finite"]),
        (changed(OPTIMIZER.__class__(["a"]), choices=()), ["no choices", "at least one"]),
        (CategoricalDistribution([1, 2, True]), ["equal choices 1 and True", "keep one"]),
        (CategoricalDistribution([0.5, float("nan")]), ["choice of 'x' is nan", "finite"]),
        (CategoricalDistribution([np.float64(0.5)]), ["float64", "plain bool, int, float, str or None"]),
        ("0.1..1", ["is a str", "use FloatDistribution"]),
    ],
)
def test_a_range_that_no_sampler_can_use(distribution: Any, parts: list[str]) -> None:
    refused(lambda: space(parameters={"x": distribution}), "space 'mine'", "'x'", *parts)


def test_a_range_of_a_class_that_optuna_is_about_to_drop() -> None:
    with pytest.warns(FutureWarning):
        old = LogUniformDistribution(0.1, 1.0)
    refused(lambda: space(parameters={"lr": old}), "'lr'", "LogUniformDistribution", "use FloatDistribution")


def test_a_choice_that_no_database_keeps() -> None:
    with pytest.warns(UserWarning, match="tuple"):
        pair = CategoricalDistribution([(1, 2)])  # type: ignore[list-item]
    refused(lambda: space(parameters={"x": pair}), "'x'", "(1, 2)", "a tuple", "use a plain")


@pytest.mark.parametrize("name", ["learning rate", "", "1r", "lambda"])
def test_a_name_that_is_no_identifier(name: str) -> None:
    refused(lambda: space(parameters={name: LR}), repr(name), "identifier", "such as 'lr'")
    refused(lambda: space(fixed={name: 1}), repr(name), "identifier")


def test_a_name_that_is_too_long_for_mlflow() -> None:
    space(parameters={"x" * 200: LR})
    refused(lambda: space(parameters={"x" * 201: LR}), "'xxx", "201 letters", "at most 200")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"name": "  "}, ["no name", "give it one"]),
        ({"parameters": {}}, ["nothing to sample", "at least one"]),
        ({"fixed": {"lr": 0.1}}, ["'lr'", "both sampled and fixed", "keep it in one"]),
        ({"fixed": {"width": np.int64(3)}}, ["fixed 'width'", "int64", "use a plain"]),
        ({"fixed": {"momentum": float("inf")}}, ["fixed 'momentum'", "inf", "finite"]),
    ],
)
def test_parts_that_do_not_fit_together(parts: dict[str, Any], told: list[str]) -> None:
    refused(lambda: space(**parts), *told)


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ({"beta1": Condition("optimizer", "sgd")}, ["'beta1'", "neither sampled nor fixed", "remove"]),
        ({"lr": Condition("width", 8)}, ["'lr' depends on 'width'", "choose from: lr, depth, optimizer"]),
        ({"lr": Condition("lr", 0.1)}, ["'lr' depends on itself"]),
        (
            {"depth": Condition("optimizer", "sgd"), "optimizer": Condition("depth", 1)},
            ["'depth' depends on itself", "by way of 'optimizer'", "break the circle"],
        ),
        ({"depth": Condition("batch_size", 64)}, ["'batch_size', which is fixed", "remove"]),
        ({"depth": Condition("lr", 0.1)}, ["exact value of 'lr'", "CategoricalDistribution"]),
        (
            {"lr": Condition("optimizer", "lion")},
            ["'lr' waits for optimizer = 'lion'", "never", "one of 'sgd', 'adamw'"],
        ),
        ({"lr": Condition("depth", 4)}, ["depth = 4", "int 1..3"]),
        ({"lr": Condition("depth", True)}, ["depth = True", "int 1..3"]),
    ],
)
def test_a_condition_that_cannot_come_true(conditions: dict[str, Condition], told: list[str]) -> None:
    parameters = {"lr": LR, "depth": IntDistribution(1, 3), "optimizer": OPTIMIZER}
    refused(lambda: space(parameters=parameters, fixed={"batch_size": 64}, conditions=conditions), *told)


def test_an_unknown_parameter_is_named_with_the_nearest_known_one() -> None:
    known = ["lr", "weight_decay", "width"]
    space().validate(known)
    typo = space(parameters={"widht": IntDistribution(1, 3)})
    refused(
        lambda: typo.validate(known), "'widht'", "did you mean 'width'?", "known: lr, weight_decay, width"
    )
    far = space(fixed={"zzz": 1})
    with pytest.raises(InvalidSpace, match=r"^space 'mine': unknown parameter 'zzz'; known: lr"):
        far.validate(known)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, ["KeyError: 'name'", "correct it"]),
        ({**space().to_json(), "parameters": [1]}, ["AttributeError"]),
        ({**space().to_json(), "conditions": {"lr": {"parent": "x"}}}, ["TypeError", "value"]),
        (
            {**space().to_json(), "parameters": {"lr": {"type": "float", "low": 1, "high": 0}}},
            ["'lr' has no valid range", "low <= high", "correct it"],
        ),
        ({**space().to_json(), "parameters": {"lr": {"name": "Gaussian"}}}, ["'lr'", "Gaussian"]),
    ],
)
def test_json_that_is_no_space(data: dict[str, Any], told: list[str]) -> None:
    refused(lambda: SearchSpace.from_json(data), *told)
