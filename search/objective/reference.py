"""What a training function gets from a sweep, and how it is named and found again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from search.errors import UserError
from search.objective.context import Objective
from search.objective.module import import_objective_module


def objective_reference(objective: Callable[..., Any]) -> str:
    """`package.module:function` for a function that can be imported by that name.

    Raises:
        UserError: a lambda, a nested function or an object without a name.
    """
    name, module = getattr(objective, "__qualname__", ""), getattr(objective, "__module__", "")
    if not name or not module or "<" in name:
        raise UserError(
            f"objective {objective!r} cannot be imported: use a function defined at the top of a module"
        )
    return f"{module}:{name}"


def load_objective(reference: str, place: str | None = None) -> Objective:
    """The training function that `package.module:function` names.

    Args:
        reference: its name.
        place: where its module lay when the sweep last ran, as `module_place` had it.

    Raises:
        UserError: it cannot be found, or is no training function; says what is missing.
    """
    target = load_callable(reference, place)
    if len(inspect.signature(target).parameters) < 2:
        raise UserError(
            f"objective {reference!r} takes no (parameters, context): see docs/how_to/own_training.md"
        )
    return target


def load_callable(reference: str, place: str | None = None) -> Callable[..., Any]:
    """The function or class that `package.module:name` names.

    Args:
        reference: its name.
        place: where its module lay when the sweep last ran, as `module_place` had it.

    Raises:
        UserError: it cannot be found, or called; says what is missing.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise UserError(f"objective {reference!r} is no package.module:function")
    target: Any = import_objective_module(module_name, place)
    try:
        for part in name.split("."):
            target = getattr(target, part)
    except AttributeError as error:
        if module_name == "__main__":
            script = f"run {place}" if place else "run that script"
            raise UserError(
                f"objective {name!r} is in the script that launched this sweep: {script} again, "
                'it continues where it was; a script that does so below `if __name__ == "__main__":` is '
                "imported instead"
            ) from error
        raise UserError(
            f"objective {reference!r} is not there ({error}): put it back into its module, or launch a sweep "
            "under another name"
        ) from error
    if not callable(target):
        raise UserError(f"objective {reference!r} is {target!r}: name a function or a class")
    called: Callable[..., Any] = target
    return called
