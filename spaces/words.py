"""How one name of a space reads, in messages and plans."""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution

from spaces import ranges
from spaces.ranges import ParamValue
from spaces.rules import Condition


def described(
    name: str,
    parameters: Mapping[str, BaseDistribution],
    fixed: Mapping[str, ParamValue],
    conditions: Mapping[str, Condition],
) -> str:
    """The name's range or fixed value and its condition, in words that differ whenever those do.

    Empty for a name that the space does not have.
    """
    if name not in parameters and name not in fixed:
        return ""
    sampled = parameters.get(name)
    text = ranges.text(sampled) if sampled else f"fixed at {fixed[name]!r}"
    return f"{text}, only when {conditions[name]}" if name in conditions else text


def change(name: str, before: str, after: str) -> str:
    """A line on what became of a name, from how it read before and how it reads now."""
    if not after:
        return f"{name}: removed"
    return f"{name}: {before} -> {after}" if before else f"{name}: added, {after}"
