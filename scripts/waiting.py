"""What a command is busy with before its own display begins, and for how long, on a terminal's last line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from scripts.consoles import err


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show `what` with the time that it takes; elsewhere than in a terminal nothing."""
    if not err.is_terminal:
        yield
        return
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    from search.progress.terminal import logs_above

    columns = TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=err, transient=True) as shown, logs_above(err):
        shown.add_task(what, total=None)
        yield


@contextlib.contextmanager
def steps(name: str) -> Iterator[Callable[[str], None]]:
    """Show each step of a work as it is told, with the time that it takes; elsewhere a line for each.

    Nothing is shown before the first: something else may be at work on the screen.
    """
    with contextlib.ExitStack() as shown:

        def say(what: str) -> None:
            shown.close()
            if err.is_terminal:
                shown.enter_context(waiting(what))
            else:
                err.print(f"{name}: {what}")

        yield say
