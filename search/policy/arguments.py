"""Whether arguments from a command line or a stored sweep are of the types that a callee says it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from search.errors import UserError

# Annotations by their words: what they admit, and how a person writes it.
_KINDS: dict[str, tuple[type, str]] = {
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "str": (str, "text"),
    "None": (type(None), "none"),
    "dict": (dict, "names and values in braces"),
    "list": (list, "a list in brackets"),
}


def of_right_types(kind: Callable[..., object], label: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, each of a type that its annotation admits; `1e3` where a whole number belongs is one.

    Only what can be typed is looked at (JSON's types): other objects are a programmer's affair.

    Raises:
        UserError: one is of another type, such as text where a number belongs, which Python would take.
    """
    parameters = inspect.signature(kind).parameters
    return {name: _right(label, name, value, _words(parameters[name])) for name, value in args.items()}


def _right(label: str, name: str, value: Any, words: list[str]) -> Any:
    admitted = [_KINDS[word] for word in words if word in _KINDS]
    types = [kind for kind, _ in admitted]
    if not words or type(value) in types or type(value) not in [kind for kind, _ in _KINDS.values()]:
        return value
    if type(value) is int and float in types:
        return value
    if type(value) is float and value.is_integer() and int in types:
        return int(value)
    wanted = " or ".join(phrase for _, phrase in admitted) or "no value that can be typed"
    raise UserError(f"{label}: {name}={value!r} is {_phrase(value)}, where {wanted} belongs")


def _phrase(value: Any) -> str:
    return next(phrase for kind, phrase in _KINDS.values() if type(value) is kind)


def _words(parameter: inspect.Parameter) -> list[str]:
    """`int`, `None` of `int | None`; `dict` of `dict[str, Any]`. Empty where nothing is annotated."""
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return []
    # Text in modules that do not evaluate theirs, which name what only a type checker imports.
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return [_plain(word.strip()) for word in text.split("|")]


def _plain(word: str) -> str:
    return {"Mapping": "dict", "Sequence": "list"}.get(head := word.partition("[")[0], head)
