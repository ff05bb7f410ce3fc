"""Which of a trial's parameters go to a module and to its data: by the names that their `__init__` takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from search.errors import UserError
from spaces.nearest import unknown
from spaces.space import SearchSpace

OFFERED = ("seed", "max_epochs")
"""What a trial has besides its parameters: given to whoever needs it and has no default for it."""

Maker = Callable[..., Any]


def arguments_for(maker: Maker, makers: Sequence[Maker], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that one of a trial's makers is called with.

    A value goes to every maker that names it; one that nobody names goes to those that take any (`**kwargs`).

    >>> def module(lr, **others): ...
    >>> def data(batch_size=32): ...
    >>> values = {"lr": 0.1, "batch_size": 64, "depth": 3, "seed": 7, "max_epochs": 5}
    >>> arguments_for(module, [module, data], values)
    {'lr': 0.1, 'depth': 3}

    Args:
        maker: a class or function.
        makers: all of them.
        values: the trial's parameters, and what is offered.
    """
    named = {name for each in makers for name in _named(each)}
    required = _required(maker)
    return {
        name: value
        for name, value in values.items()
        if (name in _named(maker) and (name not in OFFERED or name in required))
        or (name not in named and name not in OFFERED and _takes_any(maker))
    }


def check_arguments(makers: Sequence[Maker], space: SearchSpace) -> None:
    """Refuse a space that does not fit the makers of its trials.

    Raises:
        UserError: a parameter that none of them takes, or one that they need and a trial may lack.
    """
    known = {name for maker in makers for name in _named(maker)}
    called = " nor ".join(_called(maker) for maker in makers)
    in_space = (*space.parameters, *space.fixed)
    if not any(_takes_any(maker) for maker in makers):
        for name in in_space:
            if name not in known:
                neither = f"neither {called} takes" if len(makers) > 1 else f"{called} does not take"
                raise UserError(f"space {space.name!r}: {neither} {unknown(name, known)}")
    for maker in makers:
        for name in _required(maker):
            if name in space.conditions:
                raise UserError(
                    f"{_called(maker)} needs {name!r}, which space {space.name!r} gives to some trials only "
                    f"({space.conditions[name].parent!r} decides): give it a default"
                )
            if name not in in_space and name not in OFFERED:
                raise UserError(
                    f"{_called(maker)} needs {name!r}, which space {space.name!r} does not have: add it to "
                    "the space, or to its fixed values, or give it a default"
                )


def _called(maker: Maker) -> str:
    return getattr(maker, "__name__", repr(maker))


def _parameters(maker: Maker) -> list[inspect.Parameter]:
    return list(inspect.signature(maker).parameters.values())


def _named(maker: Maker) -> Collection[str]:
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in _parameters(maker) if each.kind in by_name]


def _required(maker: Maker) -> list[str]:
    named = _named(maker)
    return [
        each.name
        for each in _parameters(maker)
        if each.name in named and each.default is inspect.Parameter.empty
    ]


def _takes_any(maker: Maker) -> bool:
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in _parameters(maker))
