"""Ctrl-C and preemption: the driver stops between epochs, or at once when asked again, in the time told."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

from search.dispatch import STOP_GRACE_S, Dispatcher, Stop

_AFTER_GRACE_S = 5.0  # in which what still runs is dropped; then the main thread hangs in something
_TO_UNWIND_S = 5.0  # for the main thread to leave that; then the process ends as if it was killed
_EXIT_CODE = 130
_HEARD = "stopping: running epochs get %.0f s to end; once more to stop at once"

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def stopped_by_signals(dispatcher: Dispatcher) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a stop; a second one does not wait for running epochs.

    It ends in time though the main thread hangs, in a locked database or in Ray: it is interrupted then, and
    if that does not help, the process ends. A killed driver loses nothing.
    """

    asked = False  # by a signal; the dispatcher may be about to stop for other reasons

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked or watch.late:
            raise KeyboardInterrupt
        asked = True
        dispatcher.request_stop(Stop.INTERRUPTED)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    with _Watch() as watch:
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        except KeyboardInterrupt:
            _logger.warning("stopped at once")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Watch:
    """A thread that sees to it that a signal ends the main thread's work in time.

    Python runs a signal's handler only when the main thread comes back from whatever it waits in, but
    writes to a socket at once.
    """

    def __init__(self) -> None:
        self.late = False
        self._over = threading.Event()
        self._signalled, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        self._thread = threading.Thread(target=self._watch, name="stop-watch", daemon=True)

    def __enter__(self) -> _Watch:
        self._before = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._before)
        self._over.set()
        self._wake.send(b"\0")
        self._thread.join()
        self._signalled.close()
        self._wake.close()

    def _watch(self) -> None:
        while self._signalled.recv(1) not in (bytes([signal.SIGINT]), bytes([signal.SIGTERM])):
            if self._over.is_set():
                return
        # Not in the handler, which may come while the main thread holds a lock of the log or of the screen;
        # and not waited for, because a terminal that is stopped takes no line.
        threading.Thread(target=_logger.warning, args=(_HEARD, STOP_GRACE_S), daemon=True).start()
        if self._over.wait(STOP_GRACE_S + _AFTER_GRACE_S):
            return
        self.late = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if not self._over.wait(_TO_UNWIND_S):
            _logger.error("the driver hangs and ends now; resume the sweep to go on")
            os._exit(_EXIT_CODE)
