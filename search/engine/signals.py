"""Python's signals, handed to what ends the process within its grace: `ending`."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from search.engine.ending import SIGNALS, Ending

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_NOBODYS = Ending()
_current: Ending | None = None
_kept: dict[signal.Signals, Any] = {}  # handlers that a library may replace for a while


def current_ending() -> Ending:
    """The one that watches over this process now; where nobody does, one that no signal reaches."""
    return _current or _NOBODYS


@contextlib.contextmanager
def ends_when_asked(*, to_the_last: bool = False) -> Iterator[Ending]:
    """The signals of a stop raise KeyboardInterrupt; `ENDS_WITHIN_S` later the process is ended by force.

    Within another one of these, or outside of the main thread, which alone gets signals, it does nothing.

    Args:
        to_the_last: once a signal came, watch over the rest of the process's life too, its exit included.
            Otherwise only as long as the context lasts.
    """
    global _current
    if _current is not None or threading.current_thread() is not threading.main_thread():
        yield current_ending()
        return
    ending = _current = Ending()
    ours, pythons = socket.socketpair()
    pythons.setblocking(False)
    watcher = threading.Thread(target=ending.watch, args=(ours,), name="ending", daemon=True)
    watcher.start()
    before = {number: signal.signal(number, ending.handle) for number in SIGNALS}
    hook, sys.unraisablehook = sys.unraisablehook, functools.partial(_unraisable, sys.unraisablehook)
    # Python's own C handler writes there at once, even while the main thread runs no Python code.
    fd_before = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
    try:
        yield ending
    finally:
        if to_the_last and ending.asked:
            pythons.detach()  # open to the last, too
        else:
            signal.set_wakeup_fd(fd_before)
            sys.unraisablehook = hook
            for number, handler in before.items():
                signal.signal(number, handler)
            _current = None
            pythons.close()
            watcher.join()
            ours.close()


def _unraisable(hook: Callable[[UnraisableHookArgs], object], lost: UnraisableHookArgs) -> None:
    """Say nothing of an interrupt that came where nothing can be raised, as a destructor: it comes again."""
    if issubclass(lost.exc_type, KeyboardInterrupt | SystemExit):  # to exit is what Ray's handler does
        current_ending().lost()
    if not issubclass(lost.exc_type, KeyboardInterrupt):
        hook(lost)


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """Put the signals' handlers back after a library has set its own, and whenever it forks meanwhile.

    What a handler raises in a fork is lost, or worse: in logging's hook it leaves a lock taken for good.
    """
    global _kept
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _kept = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        _put_back()
        _kept = {}
    current_ending().check()  # it may have met the library's own handler


def _put_back() -> None:
    for number, handler in _kept.items():
        signal.signal(number, handler)


def _before_fork() -> None:
    if _current is not None and threading.current_thread() is threading.main_thread():
        _put_back()
        _current.before_fork()


def _after_fork() -> None:
    if _current is not None and threading.current_thread() is threading.main_thread():
        _current.after_fork()


def _leave_to_parent() -> None:
    """In a forked child: signals to it are not for the process that it was forked from."""
    global _current
    if _current is not None:
        _current = None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # It stays so in what the child executes: sent to a whole group, it would kill Ray and its workers.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


if sys.platform != "win32":
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_leave_to_parent)
