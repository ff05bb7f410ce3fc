"""Ctrl-C and preemption while trials run: the driver stops between epochs, or at once when asked again."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from search.engine.dispatch import STOP_GRACE_S, Dispatcher
from search.engine.ending import SIGNALS
from search.engine.observers import Stop
from search.engine.signals import ends_when_asked

_AFTER_GRACE_S = 5.0  # in which what still runs is dropped; then the main thread hangs in something
_HEARD = "stopping: running epochs get %.0f s to end; once more to stop at once"

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def stopped_by_signals(dispatcher: Dispatcher) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGUSR1 ask for a stop; a second one does not wait for running epochs.

    It ends in time though the main thread hangs, in a locked database or in Ray: it is interrupted then, and
    if that does not help, the process ends. A killed driver loses nothing.
    """

    asked = False  # by a signal; the dispatcher may be about to stop for other reasons

    def handle(_number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or ending.nudged:
            ending.interrupt(frame)
            return
        asked = True
        dispatcher.request_stop(Stop.INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    with (
        ends_when_asked() as ending,
        ending.during_trials(STOP_GRACE_S + _AFTER_GRACE_S, _HEARD % STOP_GRACE_S),
    ):
        before = {number: signal.signal(number, handle) for number in SIGNALS}
        if ending.asked:  # and what that raised was lost on the way
            handle(signal.SIGINT, None)
        try:
            yield
        except KeyboardInterrupt:
            _logger.warning("stopped at once")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
