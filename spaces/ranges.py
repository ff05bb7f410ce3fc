"""One parameter's range: what is allowed, which values it holds, how it reads, how it is drawn.

The ranges are Optuna's three distributions. Optuna checks them when they are made; what it lets
through and a sweep would trip over later (bounds that are NaN, choices that cannot be told apart)
is refused here.
"""

import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from spaces import typed

ParamValue: TypeAlias = bool | int | float | str | None
"""What a hyperparameter can be: a plain Python value that survives JSON and a database."""


class InvalidSpace(ValueError):
    """A search space, or a configuration said to belong to one, breaks a rule."""


class Suggests(Protocol):
    """The part of `optuna.trial.Trial` that drawing needs; `FixedTrial` has it too."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[ParamValue]) -> ParamValue: ...


def draw(trial: Suggests, name: str, distribution: BaseDistribution) -> ParamValue:
    """Let the trial choose a value.

    Some samplers hand back NumPy numbers, which a checkpoint loaded with `weights_only=True` refuses,
    so numbers are made plain here.
    """
    if isinstance(distribution, FloatDistribution):
        low, high, step = distribution.low, distribution.high, distribution.step
        return float(trial.suggest_float(name, low, high, step=step, log=distribution.log))
    if isinstance(distribution, IntDistribution):
        first, last = distribution.low, distribution.high
        return int(trial.suggest_int(name, first, last, step=distribution.step, log=distribution.log))
    assert isinstance(distribution, CategoricalDistribution)
    return trial.suggest_categorical(name, distribution.choices)


def checked(name: str, distribution: BaseDistribution) -> BaseDistribution:
    """A private copy of the distribution, whose attributes Optuna leaves open to changes.

    Raises:
        InvalidSpace: it is not one of the three kinds, its range is empty or not finite, a log range
            touches 0, log comes with a step, or its choices are missing, doubled or not plain values.
    """
    # The exact type: Optuna's deprecated subclasses would come back from a study as another class.
    if type(distribution) is FloatDistribution:
        _check_numbers(name, distribution)
        return FloatDistribution(
            distribution.low, distribution.high, log=bool(distribution.log), step=distribution.step
        )
    if type(distribution) is IntDistribution:
        _check_numbers(name, distribution)
        return IntDistribution(
            distribution.low, distribution.high, log=bool(distribution.log), step=distribution.step
        )
    if type(distribution) is CategoricalDistribution:
        _check_choices(name, distribution.choices)
        return CategoricalDistribution(distribution.choices)
    raise InvalidSpace(
        f"{name!r} is a {type(distribution).__name__}, which is not a range; "
        "use FloatDistribution, IntDistribution or CategoricalDistribution from optuna.distributions"
    )


def _check_numbers(name: str, distribution: FloatDistribution | IntDistribution) -> None:
    low, high, step = distribution.low, distribution.high, distribution.step
    no_step = 1 if isinstance(distribution, IntDistribution) else None
    if not all(math.isfinite(number) for number in (low, high, step or 0)):
        raise InvalidSpace(f"{name!r} goes from {low} to {high}; give it finite bounds")
    if low > high:
        raise InvalidSpace(f"{name!r} goes from {low} to {high}, which is empty; swap the bounds")
    if step is not None and step <= 0:
        raise InvalidSpace(f"{name!r} has step={step}; give a step above 0")
    if distribution.log and low <= 0:
        raise InvalidSpace(
            f"{name!r} has log=True from {low}; start a log range above 0, or leave out log=True"
        )
    if distribution.log and step != no_step:
        raise InvalidSpace(f"{name!r} has log=True and step={step}; keep only one of the two")


def _check_choices(name: str, choices: Sequence[ParamValue]) -> None:
    if not choices:
        raise InvalidSpace(f"{name!r} has no choices; give at least one")
    seen: dict[ParamValue, ParamValue] = {}
    for choice in choices:
        check_plain(f"choice of {name!r}", choice)
        # Optuna finds a choice with ==, by which True is 1 and 1 is 1.0.
        if choice in seen:
            twin = seen[choice]
            raise InvalidSpace(f"{name!r} has the equal choices {twin!r} and {choice!r}; keep one of them")
        seen[choice] = choice


def check_plain(what: str, value: ParamValue) -> None:
    """Refuse a value that is not plain Python, NumPy's float64 (a `float` by class) among them.

    Raises:
        InvalidSpace: the value is of another type, NaN or infinite, or text that no database takes.
    """
    if type(value) not in (bool, int, float, str, type(None)):
        raise InvalidSpace(
            f"{what} is {value!r}, a {type(value).__name__}; use a plain bool, int, float, str or None"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidSpace(f"{what} is {value!r}; use a finite number")
    if isinstance(value, str):
        check_text(what, value)


def check_text(what: str, text: str) -> None:
    """Refuse text that no database takes.

    Raises:
        InvalidSpace: it holds NUL, or lone surrogates, for which UTF-8 has no bytes.
    """
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidSpace(f"{what} is {text!r}; use text without NUL and lone surrogates")


def to_json(distribution: BaseDistribution) -> dict[str, Any]:
    """The range in plain JSON types, in Optuna's own form."""
    data: dict[str, Any] = json.loads(distribution_to_json(distribution))
    return data


def from_json(name: str, data: Any) -> BaseDistribution:
    """The range that `to_json` told of.

    Raises:
        InvalidSpace: Optuna makes no range of the data.
    """
    try:
        return json_to_distribution(json.dumps(data))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidSpace(f"{name!r} has no valid range in {data!r} ({error}); correct it") from error


def same(one: ParamValue, other: ParamValue) -> bool:
    """Equal, and not a truth value on one side only: 0 is 0.0, but it is not False."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def holds(distribution: BaseDistribution, value: ParamValue) -> bool:
    """Whether the range holds this value; a whole number will do where a float is drawn."""
    if isinstance(distribution, CategoricalDistribution):
        return any(same(value, choice) for choice in distribution.choices)
    if isinstance(value, bool):
        return False
    if isinstance(distribution, IntDistribution):
        return (
            isinstance(value, int)
            and distribution.low <= value <= distribution.high
            and (value - distribution.low) % distribution.step == 0
        )
    assert isinstance(distribution, FloatDistribution)
    if not isinstance(value, int | float) or not distribution.low <= value <= distribution.high:
        return False
    # low + k * step in floats is seldom exact; Optuna allows the same error.
    steps = (value - distribution.low) / distribution.step if distribution.step else 0.0
    return abs(steps - round(steps)) < 1e-8


def read(distribution: BaseDistribution, text: str) -> ParamValue:
    """What was typed for a range: a choice by its value or else by its letters, a whole number as an int.

    Whether the range holds it is another question.
    """
    meant: ParamValue = typed.value(text)
    if isinstance(distribution, CategoricalDistribution):
        return text if text in distribution.choices and not holds(distribution, meant) else meant
    if isinstance(distribution, IntDistribution) and isinstance(meant, float) and meant.is_integer():
        return int(meant)
    return meant


def count(distribution: BaseDistribution) -> int | None:
    """How many values the range holds; None for a continuous one."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return (distribution.high - distribution.low) // distribution.step + 1
    assert isinstance(distribution, FloatDistribution)
    if distribution.low == distribution.high:
        return 1
    if distribution.step is None:
        return None
    # Decimals, as Optuna counts: in floats 0.3 / 0.1 is just under 3.
    low, high, step = (Decimal(str(n)) for n in (distribution.low, distribution.high, distribution.step))
    return int((high - low) // step) + 1


def values(distribution: BaseDistribution) -> list[ParamValue]:
    """Every value of a range that is not continuous, in order."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    number = count(distribution)
    assert isinstance(distribution, FloatDistribution)
    assert number is not None
    low, step = Decimal(str(distribution.low)), Decimal(str(distribution.step or 0))
    return [float(low + position * step) for position in range(number)]


def text(distribution: BaseDistribution) -> str:
    """The range in words: `float 0.001..1.0, log`, `int 8..32, step 8`, `one of 'sgd', 'adamw'`."""
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(map(repr, distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    kind, unsaid = ("int", 1) if isinstance(distribution, IntDistribution) else ("float", None)
    scale = ", log" if distribution.log else ""
    step = "" if distribution.step == unsaid else f", step {distribution.step!r}"
    return f"{kind} {distribution.low!r}..{distribution.high!r}{scale}{step}"
