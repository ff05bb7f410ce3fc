"""The rules a search space obeys: what `SearchSpace` refuses when it is made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword

from optuna.distributions import BaseDistribution, FloatDistribution

from spaces import ranges
from spaces.ranges import InvalidSpace, ParamValue

LONGEST_NAME = 200  # of a parameter; MLflow takes 250 letters, some of which may be a prefix's


@dataclass(frozen=True)
class Condition:
    """A parameter exists only when its parent has this value.

    Example:
        >>> print(Condition("optimizer", "sgd"))
        optimizer = 'sgd'
    """

    parent: str
    value: ParamValue

    def __str__(self) -> str:
        return f"{self.parent} = {self.value!r}"


def ancestors(name: str, conditions: Mapping[str, Condition]) -> Iterator[str]:
    """The parent, its parent, and so on, each once: a circle ends where it closes."""
    seen: set[str] = set()
    while name in conditions and name not in seen:
        seen.add(name)
        name = conditions[name].parent
        yield name


def check_names(parameters: Mapping[str, BaseDistribution], fixed: Mapping[str, ParamValue]) -> None:
    """Check that something is sampled, and that every name is an identifier with one meaning.

    Raises:
        InvalidSpace: it is not so.
    """
    if not parameters:
        raise InvalidSpace("there is nothing to sample; give `parameters` at least one range")
    for name in (*parameters, *fixed):
        if not name.isidentifier() or iskeyword(name):
            raise InvalidSpace(f"{name!r} cannot name a parameter; use a Python identifier, such as 'lr'")
        if len(name) > LONGEST_NAME:
            raise InvalidSpace(
                f"parameter {name[:20]!r}... has {len(name)} letters; take at most {LONGEST_NAME}, for MLflow"
            )
        if name in parameters and name in fixed:
            raise InvalidSpace(f"{name!r} is both sampled and fixed; keep it in one of the two")


def check_condition(
    name: str,
    parameters: Mapping[str, BaseDistribution],
    fixed: Mapping[str, ParamValue],
    conditions: Mapping[str, Condition],
) -> None:
    """Check that the condition on this name can come true.

    Raises:
        InvalidSpace: the name or its parent is not there, the parent is fixed, below the name itself or
            a float, or it never has the value waited for.
    """
    if name not in parameters and name not in fixed:
        raise InvalidSpace(f"there is a condition on {name!r}, which is neither sampled nor fixed; remove it")
    condition = conditions[name]
    parent = condition.parent
    if name in ancestors(name, conditions):
        raise InvalidSpace(f"{name!r} depends on itself, by way of {parent!r}; break the circle")
    if parent in fixed:
        raise InvalidSpace(f"{name!r} depends on {parent!r}, which is fixed; remove one, or the condition")
    if parent not in parameters:
        sampled = ", ".join(parameters)
        raise InvalidSpace(f"{name!r} depends on {parent!r}, which is not sampled; choose from: {sampled}")
    distribution = parameters[parent]
    # A float is hit by rounding at best, and in a continuous range never.
    if isinstance(distribution, FloatDistribution):
        raise InvalidSpace(
            f"{name!r} depends on the exact value of {parent!r}, a float; "
            "make the parent an IntDistribution or a CategoricalDistribution"
        )
    if not ranges.holds(distribution, condition.value):
        raise InvalidSpace(
            f"{name!r} waits for {condition}, which never comes: {parent!r} is {ranges.text(distribution)}; "
            "choose a value from there"
        )
