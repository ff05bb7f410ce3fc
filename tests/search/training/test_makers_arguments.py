"""Parameters find the one who takes them; what nobody takes is refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search.errors import UserError
from search.training.arguments import arguments_for, check_arguments
from spaces.space import Condition, SearchSpace

LR = FloatDistribution(1e-4, 1.0, log=True)


def module(lr: float, depth: int = 3, seed: int = 42) -> None: ...


def data(batch_size: int, seed: int) -> None: ...


def anything(lr: float, **others: Any) -> None: ...


def space(**parameters: Any) -> SearchSpace:
    return SearchSpace(name="mine", description="Of these tests.", parameters=parameters)


def test_a_parameter_goes_to_whoever_names_it() -> None:
    values = {"lr": 0.1, "batch_size": 32, "seed": 7, "max_epochs": 9}
    assert arguments_for(module, [module, data], values) == {"lr": 0.1}  # it has a seed of its own
    assert arguments_for(data, [module, data], values) == {"batch_size": 32, "seed": 7}


def test_what_nobody_names_goes_to_whoever_takes_anything() -> None:
    values = {"lr": 0.1, "batch_size": 32, "depth": 2, "seed": 7}
    assert arguments_for(anything, [anything, data], values) == {"lr": 0.1, "depth": 2}


@pytest.mark.parametrize(
    ("makers", "searched", "message"),
    [
        ([module], {"lr": LR, "dept": LR}, r"module does not take 'dept'; did you mean 'depth'\?"),
        (
            [module, data],
            {"lr": LR, "batch": LR},
            r"neither module nor data takes 'batch'; did you mean 'batch_size'",
        ),
        ([module, data], {"lr": LR}, r"data needs 'batch_size', which space 'mine' does not have"),
    ],
)
def test_a_space_that_does_not_fit_is_refused(makers: Any, searched: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_arguments(makers, space(**searched))


def test_what_only_some_trials_have_needs_a_default() -> None:
    conditional = SearchSpace(
        name="mine",
        description="Of these tests.",
        parameters={"kind": CategoricalDistribution(["a", "b"]), "lr": LR},
        conditions={"lr": Condition("kind", "a")},
    )
    with pytest.raises(
        UserError, match=r"anything needs 'lr', which .* to some trials only \('kind' decides\)"
    ):
        check_arguments([anything], conditional)
