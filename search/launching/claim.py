"""The folder of a new sweep, taken in one step: of launches at the same moment each gets its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from search.config.sweep_config import SweepConfig
from search.errors import UserError


@contextlib.contextmanager
def claimed(config: SweepConfig, fresh_name: Callable[[], str] | None) -> Iterator[SweepConfig]:
    """Take a new sweep's folder, and let go again of what stays empty.

    Args:
        config: the sweep.
        fresh_name: gives another name, for one that nobody has typed, should another launch be quicker.
            For a name that was typed the lease decides between two launches.

    Raises:
        UserError: the folder cannot be made.
    """
    config, made = _taken(config, fresh_name)
    try:
        yield config
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it holds a sweep by now
                folder.rmdir()


def _taken(config: SweepConfig, fresh_name: Callable[[], str] | None) -> tuple[SweepConfig, list[Path]]:
    """The sweep under its name, and the folders that were made for it, the innermost first."""
    while True:
        missing = [folder for folder in (config.folder, *config.folder.parents) if not folder.exists()]
        try:
            config.folder.mkdir(parents=True)
        except FileExistsError:
            if fresh_name is None:
                return config, []
            config = config.model_copy(update={"name": fresh_name()})
        except FileNotFoundError:  # another launch that came to nothing has just tidied up
            continue
        except OSError as error:
            why = f"sweep folder {config.folder}: {error.strerror}"
            raise UserError(f"{why}; choose another `sweeps_dir`") from error
        else:
            return config, missing
