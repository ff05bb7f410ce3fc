"""What goes wrong in the dispatcher, kept: Ray turns its callbacks' errors into text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class RemembersFaults:
    """Has the first thing that went wrong in one of its methods that are `remembered`; None: nothing did.

    Example:
        >>> RemembersFaults().fault is None
        True
    """

    fault: Exception | None = None


def remembered(method: Callable[P, R]) -> Callable[P, R]:
    """Keep what a method raises as its object's `fault`, and raise it on."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except Exception as error:  # of any kind: it is raised on, unchanged
            owner = args[0]
            assert isinstance(owner, RemembersFaults)
            owner.fault = owner.fault or error
            raise

    return guarded
