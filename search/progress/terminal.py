"""A live table in a terminal, which it shares with whatever else is said: that goes above it, and stays."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.progress.frame import Frame
from search.results.columns import GAP

_EVERY_S = 0.5


class SteadyConsole(Console):
    """A console on which one thread prints at a time, with a live display below.

    Rich works out where the display begins, then prints, and another thread may have drawn the display anew
    in between: one that is lower or higher by then is wiped out in the wrong place.

    Attributes:
        alone: held by the thread that prints.

    Example:
        >>> import io
        >>> console = SteadyConsole(file=io.StringIO())
        >>> console.print("trial-000 complete")
        >>> console.file.getvalue()
        'trial-000 complete\\n'
    """

    def __init__(self, **options: Any) -> None:
        self.alone = threading.RLock()
        super().__init__(**options)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's."""
        with self.alone:
            super().print(*objects, **options)


class TerminalTable:
    """Shows a frame at the bottom of a terminal until `stop`, which wipes it out.

    Args:
        console: on the terminal.
        draw: gives what is to be seen now; called by a thread, and by whoever prints.

    Example:
        >>> import io
        >>> screen = io.StringIO()
        >>> frame = Frame({"trial": ["trial-000"], "epoch": ["2/9"]}, ["night: 0/16 done"])
        >>> table = TerminalTable(SteadyConsole(file=screen, force_terminal=True), lambda: frame)
        >>> table.start()
        >>> table.stop(frame)
        >>> "trial-000" in screen.getvalue()
        True
    """

    def __init__(self, console: SteadyConsole, draw: Callable[[], Frame]) -> None:
        self._console = console
        self._above = contextlib.ExitStack()
        # Rich's own thread takes the display's lock before the console's.
        self._live = Live(
            console=console, auto_refresh=False, get_renderable=lambda: Sized(draw()), transient=True
        )
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._redraw, name="table", daemon=True)

    def start(self) -> None:
        """Begin to show it."""
        with self._console.alone:
            self._live.start(refresh=True)
            self._above.enter_context(logs_above(self._console))
        self._thread.start()

    def stop(self, _last: Frame) -> None:
        """Leave nothing of it."""
        self._stopped.set()
        self._thread.join()
        with self._console.alone:
            self._above.close()
            self._live.stop()

    def _redraw(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            with self._console.alone:
                self._live.refresh()


@dataclass(frozen=True)
class Sized:
    """A frame as large as the terminal has room for: a display higher than it cannot be wiped out again.

    Example:
        >>> frame = Frame({"trial": ["trial-000", "trial-001", "trial-002"]}, ["0/16 done"])
        >>> Console(width=40, height=5).print(Sized(frame))
            trial
        trial-000
        and 2 more
        0/16 done
    """

    frame: Frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = self.frame.fitted(options.max_width)
        # The console wraps nothing, for it leaves that to the terminal; the display has to.
        lines = Text("\n".join(self.frame.lines), no_wrap=False, overflow="fold")
        room = console.height - len(lines.wrap(console, options.max_width)) - 2  # the headings, the cursor
        rows = self.frame.rows
        if rows and room > 0:
            yield _table(columns, len(rows) if len(rows) <= room else room - 1)
            if len(rows) > room:
                yield Text(f"and {len(rows) - room + 1} more")
        yield lines


def _table(columns: dict[str, list[str]], rows: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for heading, cells in columns.items():
        widest = max(map(cell_len, [heading, *cells]))
        table.add_column(Text(heading), justify="right", no_wrap=True, min_width=widest)
    for row in list(zip(*columns.values(), strict=True))[:rows]:
        table.add_row(*map(Text, row))
    return table


@contextlib.contextmanager
def logs_above(console: Console) -> Iterator[None]:
    """Let log handlers write through a console, whose live display would wipe out what they write past it.

    Handlers keep the stream that they were made with, so replacing `sys.stderr` does not reach those that
    there are already: our own, Ray's, Optuna's.
    """
    here = [sys.__stdout__, sys.__stderr__, *(_behind(stream) for stream in (sys.stdout, sys.stderr))]
    moved = []
    for handler in _handlers():
        if any(handler.stream is stream for stream in here):
            moved.append((handler, handler.stream))
            handler.setStream(FileProxy(console, handler.stream))
    try:
        yield
    finally:
        for handler, stream in moved:
            handler.setStream(stream)


def _handlers() -> list[logging.StreamHandler[Any]]:
    """The handlers of all loggers that write to a stream."""
    loggers = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    handlers = {
        id(handler): handler
        for logger in loggers
        if isinstance(logger, logging.Logger)
        for handler in logger.handlers
        if isinstance(handler, logging.StreamHandler)
    }
    return list(handlers.values())


def _behind(stream: Any) -> Any:
    """The stream that a live display has replaced."""
    return getattr(stream, "rich_proxied_file", stream)
