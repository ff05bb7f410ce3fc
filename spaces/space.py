"""A search space: what a sweep may vary, what it holds fixed, and what exists only with something else."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from optuna.distributions import BaseDistribution

from spaces import points, ranges, rules, typed, words
from spaces.nearest import unknown
from spaces.ranges import InvalidSpace, ParamValue, Suggests
from spaces.rules import Condition

__all__ = ["Condition", "InvalidSpace", "ParamValue", "SearchSpace"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchSpace:
    """Named ranges, fixed values and conditions; checked when made, and not to be changed after.

    Two spaces are equal when their names, descriptions and fingerprints are.

    Raises:
        InvalidSpace: a name, range, fixed value or condition breaks a rule; the message says which.

    Example:
        >>> from optuna.distributions import CategoricalDistribution, FloatDistribution
        >>> from optuna.trial import FixedTrial
        >>> space = SearchSpace(
        ...     name="mine",
        ...     description="Two optimizers, one of them with momentum.",
        ...     parameters={
        ...         "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        ...         "lr": FloatDistribution(1e-4, 1.0, log=True),
        ...         "momentum": FloatDistribution(0.8, 0.99),
        ...     },
        ...     fixed={"batch_size": 128},
        ...     conditions={"momentum": Condition("optimizer", "sgd")},
        ... )
        >>> space.suggest(FixedTrial({"optimizer": "adamw", "lr": 0.01}))
        {'batch_size': 128, 'lr': 0.01, 'optimizer': 'adamw'}
        >>> space.check_some({"lr": 2.0})
        Traceback (most recent call last):
        ...
        spaces.ranges.InvalidSpace: not in space 'mine': 'lr' is 2.0, but has to be float 0.0001..1.0, log
    """

    name: str
    """What the space is called in plans and messages."""
    description: str
    """What it is for, in a sentence."""
    parameters: Mapping[str, BaseDistribution]
    """What is sampled, each from its range. Copied: later changes to the caller's ranges stay outside."""
    fixed: Mapping[str, ParamValue] = field(default_factory=dict)
    """What every configuration gets the same value of."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """Which parameters (or fixed values) exist only when a sampled one, their parent, has a given value."""
    first: Sequence[Mapping[str, ParamValue]] = ()
    """What a launch tries first, after what its user asks for: values of some or all of the parameters.
    A sweep keeps it with what it has enqueued; it is no part of the space's JSON."""
    around: Mapping[str, ParamValue] = field(default_factory=dict)
    """Values that are believed to be good, of some or all of the parameters: some trials are drawn near them,
    ever fewer. A sweep keeps them as its prior; they are no part of the space's JSON."""

    def __post_init__(self) -> None:
        try:
            if not self.name.strip():
                raise InvalidSpace("it has no name; give it one, to be told apart by")
            for text in (self.name, self.description):
                ranges.check_text("its name or description", text)
            rules.check_names(self.parameters, self.fixed)
            ranged = {name: ranges.checked(name, d) for name, d in self.parameters.items()}
            for name, value in self.fixed.items():
                ranges.check_plain(f"fixed {name!r}", value)
            for name in self.conditions:
                rules.check_condition(name, ranged, self.fixed, self.conditions)
        except InvalidSpace as error:
            raise InvalidSpace(f"space {self.name!r}: {error}") from None
        object.__setattr__(self, "parameters", MappingProxyType(ranged))
        object.__setattr__(self, "fixed", MappingProxyType(dict(self.fixed)))
        object.__setattr__(self, "conditions", MappingProxyType(dict(self.conditions)))
        object.__setattr__(self, "first", tuple(MappingProxyType(dict(params)) for params in self.first))
        object.__setattr__(self, "around", MappingProxyType(dict(self.around)))
        for params in (*self.first, self.around):
            self.check_some(params)

    def _names(self) -> list[str]:
        """All names, parents before children, else by the alphabet.

        Not as declared: a seeded sampler's draws depend on their order, so the order has to follow from
        what the fingerprint covers, and that knows no order of keys.
        """
        names = (*self.parameters, *self.fixed)
        return sorted(names, key=lambda name: (len(list(rules.ancestors(name, self.conditions))), name))

    def _exists(self, name: str, values: Mapping[str, ParamValue]) -> bool:
        condition = self.conditions.get(name)
        if condition is None:
            return True
        return condition.parent in values and ranges.same(values[condition.parent], condition.value)

    def suggest(self, trial: Suggests) -> dict[str, ParamValue]:
        """Draw one configuration: the sampled parameters that exist, and the fixed values.

        Given a trial that already has its parameters (`FixedTrial`, or one taken up again from a
        study), this rebuilds its configuration.
        """
        chosen: dict[str, ParamValue] = {}
        for name in self._names():
            if self._exists(name, chosen):
                sampled = self.parameters.get(name)
                chosen[name] = self.fixed[name] if sampled is None else ranges.draw(trial, name, sampled)
        return chosen

    def validate(self, known: Collection[str]) -> None:
        """Refuse names that whoever takes the configurations does not know.

        Raises:
            InvalidSpace: with the nearest known name, and all of them.
        """
        for name in (*self.parameters, *self.fixed):
            if name not in known:
                raise InvalidSpace(f"space {self.name!r}: unknown parameter {unknown(name, known)}")

    def check_values(self, params: Mapping[str, ParamValue]) -> None:
        """Check that a whole configuration, fixed values included, is one this space can give.

        Raises:
            InvalidSpace: a name is unknown, missing or there without its parent's value, or a value
                lies outside its range or differs from the fixed one.
        """
        names = self._names()
        for name in params:
            if name not in names:
                raise InvalidSpace(f"space {self.name!r} has no parameter {unknown(name, names)}")
        for name in names:
            problem = self._problem(name, params)
            if problem:
                raise InvalidSpace(f"not in space {self.name!r}: {problem}")

    def read(self, texts: Mapping[str, str]) -> dict[str, ParamValue]:
        """What was typed for some of the parameters, as values of their ranges' types, still unchecked."""
        known = self.parameters
        return {n: ranges.read(known[n], t) if n in known else typed.value(t) for n, t in texts.items()}

    def enqueued(
        self, typed_texts: Sequence[Mapping[str, str]], sampler: str | None = None
    ) -> list[dict[str, ParamValue]]:
        """What a launch tries first: what was typed, as `read` has it, then the space's own.

        A grid, which has its own order, takes what was typed alone.
        """
        typed_values = [self.read(texts) for texts in typed_texts]
        return typed_values if sampler == "grid" else [*typed_values, *map(dict, self.first)]

    def believed(
        self, typed_texts: Sequence[Mapping[str, str]], sampler: str | None = None
    ) -> list[dict[str, ParamValue]]:
        """Near what a launch draws some trials: what was typed, as `read` has it, then the space's own.

        A grid, which draws nothing, takes what was typed alone.
        """
        typed_values = [self.read(texts) for texts in typed_texts]
        return typed_values if sampler == "grid" or not self.around else [*typed_values, dict(self.around)]

    def check_some(self, params: Mapping[str, ParamValue]) -> None:
        """Check values given to some of the sampled parameters; the others are still to be sampled.

        Raises:
            InvalidSpace: a name is no sampled parameter or given without its parent's value, or a value lies
                outside its range.
        """
        for name in params:
            if name in self.fixed:
                raise InvalidSpace(f"{name!r} is fixed in space {self.name!r}; leave it out")
            if name not in self.parameters:
                raise InvalidSpace(
                    f"space {self.name!r} has no parameter {unknown(name, list(self.parameters))}"
                )
            if problem := self._problem(name, {**self.fixed, **params}):
                raise InvalidSpace(f"not in space {self.name!r}: {problem}")

    def _problem(self, name: str, params: Mapping[str, ParamValue]) -> str | None:
        if not self._exists(name, params):
            condition = self.conditions[name]
            return (
                f"{name!r} exists only when {condition}; leave it out, or give that too"
                if name in params
                else None
            )
        if name not in params:
            return f"{name!r} is missing; add it: {self._described(name)}"
        value, sampled = params[name], self.parameters.get(name)
        right = ranges.holds(sampled, value) if sampled else ranges.same(value, self.fixed[name])
        return None if right else f"{name!r} is {value!r}, but has to be {self._described(name)}"

    def size(self) -> int | None:
        """How many different configurations there are; None if a continuous range makes them endless."""
        return points.count(self.parameters, self.conditions)

    def grid(self) -> dict[str, list[ParamValue]]:
        """Every value of every sampled parameter. `size()` says how many combinations that makes.

        Raises:
            InvalidSpace: a parameter is continuous, or exists only under a condition.
        """
        try:
            return points.grid(self.parameters, self.conditions)
        except InvalidSpace as error:
            raise InvalidSpace(f"space {self.name!r} has no grid: {error}") from None

    def fingerprint(self) -> str:
        """Sixteen hex digits that stay the same while the space gives the same configurations.

        Ranges, the order of choices, fixed values and conditions count; the name, the description and
        the order of keys do not. To compare with a stored space, compare with the fingerprint of
        `from_json(stored)`: an Optuna that writes ranges differently then changes both sides.
        """
        data = self.to_json()
        canonical = json.dumps([data["parameters"], data["fixed"], data["conditions"]], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str, str, str]:
        return self.name, self.description, self.fingerprint()

    def __reduce__(self) -> tuple[Any, ...]:
        # Neither pickle nor deepcopy takes the read-only mappings.
        return type(self).from_json, (self.to_json(),)

    def to_json(self) -> dict[str, Any]:
        """The space in plain JSON types."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": {n: ranges.to_json(d) for n, d in self.parameters.items()},
            "fixed": dict(self.fixed),
            "conditions": {n: {"parent": c.parent, "value": c.value} for n, c in self.conditions.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The space that `to_json` told of.

        Raises:
            InvalidSpace: the data tells of none, or of one that breaks a rule.
        """
        try:
            return cls(
                name=data["name"],
                description=data["description"],
                parameters={n: ranges.from_json(n, d) for n, d in data["parameters"].items()},
                fixed=data["fixed"],
                conditions={n: Condition(**c) for n, c in data["conditions"].items()},
            )
        except (AttributeError, KeyError, TypeError) as error:
            cause = f"{type(error).__name__}: {error}"
            raise InvalidSpace(f"not what a search space's to_json gives ({cause}); correct it") from error

    def difference(self, other: "SearchSpace") -> list[str]:
        """What changes from this space to the other, a line a name; none if the fingerprints agree."""
        names = [*self.parameters, *self.fixed, *other.parameters, *other.fixed]
        both = [(name, self._described(name), other._described(name)) for name in dict.fromkeys(names)]
        return [words.change(name, before, after) for name, before, after in both if before != after]

    def _described(self, name: str) -> str:
        return words.described(name, self.parameters, self.fixed, self.conditions)

    def describe(self) -> list[tuple[str, str]]:
        """Each name with its range or fixed value in words, as declared, for printing."""
        return [(name, self._described(name)) for name in (*self.parameters, *self.fixed)]
