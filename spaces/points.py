"""The configurations of a space as points: how many there are, and the grid that holds them all."""

import math
from collections.abc import Mapping

from optuna.distributions import BaseDistribution

from spaces import ranges
from spaces.ranges import InvalidSpace, ParamValue
from spaces.rules import Condition


def count(parameters: Mapping[str, BaseDistribution], conditions: Mapping[str, Condition]) -> int | None:
    """How many different configurations there are; None if a continuous range makes them endless.

    Args:
        parameters: what is sampled, each from its range.
        conditions: which of them exist only when another has a given value.
    """
    if _continuous(parameters):
        return None
    independent = [name for name in parameters if name not in conditions]
    return math.prod(_branches(name, parameters, conditions) for name in independent)


def grid(
    parameters: Mapping[str, BaseDistribution], conditions: Mapping[str, Condition]
) -> dict[str, list[ParamValue]]:
    """Every value of every parameter.

    Args:
        parameters: what is sampled, each from its range.
        conditions: which of them exist only when another has a given value.

    Raises:
        InvalidSpace: a parameter is continuous, or exists only under a condition.
    """
    conditional = [name for name in parameters if name in conditions]
    if conditional:
        raise InvalidSpace(
            f"{', '.join(conditional)} exist only under a condition; remove the conditions, or choose "
            "another sampler"
        )
    if continuous := _continuous(parameters):
        raise InvalidSpace(
            f"{', '.join(continuous)} can take endlessly many values; give step=, use a "
            "CategoricalDistribution, or choose another sampler"
        )
    return {name: ranges.values(distribution) for name, distribution in parameters.items()}


def _continuous(parameters: Mapping[str, BaseDistribution]) -> list[str]:
    return [name for name, distribution in parameters.items() if ranges.count(distribution) is None]


def _branches(
    name: str, parameters: Mapping[str, BaseDistribution], conditions: Mapping[str, Condition]
) -> int:
    """The different settings of one parameter together with those that depend on it."""
    under: dict[ParamValue, int] = {}
    for child, condition in conditions.items():
        if condition.parent == name and child in parameters:
            settings = _branches(child, parameters, conditions)
            under[condition.value] = under.get(condition.value, 1) * settings
    own = ranges.count(parameters[name])
    assert own is not None
    return own + sum(settings - 1 for settings in under.values())
