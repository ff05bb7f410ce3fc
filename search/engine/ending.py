"""A stop ends within its grace, whatever the program is doing when it is asked for.

SIGINT, SIGTERM and SIGUSR1 raise KeyboardInterrupt in the main thread, and what follows has some seconds to
end in order. Then a thread of its own ends the process by force: a main thread that hangs in a library's C
code runs no handler. Nothing is lost by that, for a sweep survives `kill -9`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType

ENDS_WITHIN_S = 25.0  # after the first signal; preemption gives 30 s before it kills
AT_ONCE_S = 8.0  # after the second one
_AGAIN_S = 0.1  # until an interrupt that was lost is raised again
_ENDED = b"interrupted: the program did not stop in time and was ended; resume the sweep to continue\n"
INTERRUPTED = 130  # the exit code

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # the last is what Slurm is asked to send
_logger = logging.getLogger(__name__)


class Ending:
    """What is known of a stop that was asked for, or of none.

    Attributes:
        nudged: whether the main thread was interrupted, for it did not come to an end by itself.

    Example:
        >>> ending = Ending()
        >>> ending.asked, ending.check()  # raises once a stop was asked for
        (False, None)
    """

    def __init__(self) -> None:
        self._deadline = float("inf")
        self._counted = 0  # signals that came
        self._shields = 0
        self._held_back = False  # a signal came while something was shielded
        self._is_lost = False  # nobody has met the interrupt, and the watching thread is to raise it again
        self._raised_again = 0  # signals of our own, which nobody asked for
        self._asked_at = float("inf")
        self._nudge_after_s = float("inf")
        self._heard = f"stopping: what has not ended in {ENDS_WITHIN_S:.0f} s is ended by force"
        self._last_acts: list[Callable[[], None]] = []
        self._voice = threading.Lock()
        self._has_ended = False
        self.nudged = False

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._asked_at < float("inf")

    def check(self) -> None:
        """Raise again what may have been lost: Python passes over what a handler raises in a destructor.

        Raises:
            KeyboardInterrupt: a signal came.
        """
        if self.asked:
            self._is_lost = False
            raise KeyboardInterrupt

    def interrupt(self, frame: FrameType | None) -> None:
        """What a signal's handler does to interrupt the main thread: now, or when that leaves nothing locked.

        Args:
            frame: what the main thread was doing.

        Raises:
            KeyboardInterrupt: nothing is shielded, and no lock is just being taken.
        """
        if self._shields:
            self._held_back = True
            return
        if _takes_a_lock(frame):
            self.lost()
            return
        self._is_lost = False
        raise KeyboardInterrupt

    def lost(self) -> None:
        """Nobody met the interrupt: raise it again in a moment, if a signal came at all."""
        self._is_lost = not self._has_ended

    @property
    def left_s(self) -> float:
        """Seconds until the process is ended by force; infinite while no signal came."""
        return self._deadline - time.monotonic()

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Let a clean-up come to its end before a signal that comes meanwhile raises."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._held_back and not self._shields:
            self._held_back = False
            raise KeyboardInterrupt

    def before_fork(self) -> None:
        """Shield a fork: libraries' hooks around it hold locks, and what is raised in one is lost."""
        self._shields += 1

    def after_fork(self) -> None:
        """End the shield; the hook that calls this can raise nothing either."""
        self._shields -= 1
        if self._held_back and not self._shields:
            self._held_back = False
            self.lost()

    @contextlib.contextmanager
    def during_trials(self, nudge_after_s: float, heard: str) -> Iterator[None]:
        """What a first signal leads to while trials run, under a handler that lets them end.

        Args:
            nudge_after_s: seconds after which the main thread gets another SIGINT.
            heard: what is said at once.
        """
        before = self._heard
        self._nudge_after_s, self._heard = nudge_after_s, heard
        try:
            yield
        finally:
            self._nudge_after_s, self._heard = float("inf"), before

    @contextlib.contextmanager
    def at_last(self, act: Callable[[], None]) -> Iterator[None]:
        """What is still to be done, while this lasts, if the process is ended by force."""
        self._last_acts.append(act)
        try:
            yield
        finally:
            self._last_acts.remove(act)

    def last_word(self, text: str) -> None:
        """Say on stderr how the program ends; that it is stopping is not said after this."""
        with self._voice:
            self._has_ended = True
            print(text, file=sys.stderr)

    def handle(self, _number: int, frame: FrameType | None) -> None:
        """The signals' handler, in the main thread."""
        self._asked_at = min(self._asked_at, time.monotonic())  # the watching thread may be late to see it
        self.interrupt(frame)

    def watch(self, signals: socket.socket) -> None:
        """Read the numbers of signals as they come in, until the other end is closed or time is up."""
        while self.left_s > 0:
            nudge_in = self._asked_at + self._nudge_after_s - time.monotonic()
            if nudge_in <= 0 and not self.nudged:
                self.nudged = True
                _signal_main_thread()
            due_in = max(0.0, self.left_s if self.nudged else min(self.left_s, nudge_in))
            if self.asked:
                due_in = min(due_in, _AGAIN_S)
            if not select.select([signals], [], [], None if due_in == float("inf") else due_in)[0]:
                self._raise_again()
                continue
            numbers = signals.recv(64)
            if not numbers:
                return
            for number in numbers:
                if number == signal.SIGINT and self._raised_again:
                    self._raised_again -= 1
                elif number in SIGNALS:
                    self._note_signal()
        self._end_by_force()

    def _raise_again(self) -> None:
        if self._is_lost:
            self._is_lost = False
            self._raised_again += 1
            _signal_main_thread()

    def _note_signal(self) -> None:
        now = time.monotonic()
        self._deadline = min(self._deadline, now + (AT_ONCE_S if self._counted else ENDS_WITHIN_S))
        self._asked_at = min(self._asked_at, now)
        self._counted += 1
        if self._counted == 1:
            # Not in the handler, which may come while the main thread holds a lock of the log or of the
            # screen; and not waited for, because a terminal that is stopped takes no line.
            threading.Thread(target=self._say, args=(self._heard,), daemon=True).start()

    def _say(self, text: str) -> None:
        with self._voice:
            if not self._has_ended:
                _logger.warning(text)

    def _end_by_force(self) -> None:
        for act in self._last_acts:
            with contextlib.suppress(Exception):  # whatever it is, the process ends now
                act()
        # Not through `sys.stderr` or logging: the thread that hangs may hold their locks. The escape
        # sequence brings a terminal's cursor back, which a live display hides.
        cursor = b"\x1b[?25h" if os.isatty(2) else b""
        with contextlib.suppress(OSError):
            os.write(2, cursor + _ENDED)
        os._exit(INTERRUPTED)


def _takes_a_lock(frame: FrameType | None) -> bool:
    """Whether an error here could leave a lock taken for good, and whoever waits for it waiting.

    So it is in logging and in an import, which take their locks in Python and outside of any `try`, and in a
    context that is being entered, as a `threading.Condition`: nobody leaves what was not entered.
    """
    if frame is None:
        return False
    if frame.f_code.co_name == "__enter__" or frame.f_globals.get("__name__") == "importlib._bootstrap":
        return True
    return any(each.f_globals.get("__name__") == "logging" for each, _line in traceback.walk_stack(frame))


def _signal_main_thread() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
