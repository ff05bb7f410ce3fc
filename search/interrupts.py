"""Ctrl-C and preemption: the driver stops between epochs, or at once when asked again."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from search.dispatch import Dispatcher, Stop

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def stopped_by_signals(dispatcher: Dispatcher) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a stop; a second one does not wait for running epochs."""

    asked = False  # by a signal; the dispatcher may be about to stop for other reasons

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        _logger.warning("stopping: running epochs get a few seconds to end; once more to stop at once")
        dispatcher.request_stop(Stop.INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        _logger.warning("stopped at once")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
