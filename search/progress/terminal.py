"""A terminal that a live display shares with whatever else is said: that goes above it, and stays."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.file_proxy import FileProxy


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
