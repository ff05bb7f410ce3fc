"""A study's storage whose process can be killed before any of its writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optuna.storages import InMemoryStorage


class Killed(BaseException):
    """The process is gone: not an `Exception`, for nothing can handle it."""


class KillableStorage(InMemoryStorage):
    """In memory, for what matters is the order of writes; each of them is whole or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self._last_write: int | None = None

    def kill_after(self, writes: int) -> None:
        """Let this many more writes happen, and then none."""
        self._last_write = self.writes + writes

    def revive(self) -> None:
        """Let a new process write again."""
        self._last_write = None

    def count(self) -> None:
        """Called before each write; also refuses what a `finally` tries after the end."""
        if self._last_write is not None and self.writes >= self._last_write:
            raise Killed
        self.writes += 1


def _counted(name: str) -> Callable[..., Any]:
    write = getattr(InMemoryStorage, name)

    def counted(self: KillableStorage, *args: Any, **kwargs: Any) -> Any:
        self.count()
        return write(self, *args, **kwargs)

    return counted


for _name in (
    "create_new_study",
    "create_new_trial",
    "set_study_user_attr",
    "set_study_system_attr",
    "set_trial_param",
    "set_trial_state_values",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
):
    setattr(KillableStorage, _name, _counted(_name))
