"""The trials that wait for a worker, and when each of them may have one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from search.study.records import TrialRecord

FIRST_PAUSE_S = 5.0  # after the first loss of a trial's worker,
PAUSE_FACTOR = 4.0  # as many times as long after each further one,
LONGEST_PAUSE_S = 300.0  # at most
WAITED_FOR_S = 20.0  # the first two pauses, by a worker that has nothing beside it
# Drivers in a row that died with a trial, from which on it is tried last and with nothing beside it.
# Those that are killed at one write after another are fewer in one epoch: an innocent trial keeps its turn.
ALONE_FROM = 5
MOST_DRIVERS = 6  # then it is given up


class WaitingTrials:
    """A queue that new trials join at the end, and lost ones at the front, after a pause.

    Args:
        unfinished: trials that an earlier driver left RUNNING; those that drivers died with come last.
        clock: monotonic seconds.

    Example:
        >>> now = 0.0
        >>> waiting = WaitingTrials([], clock=lambda: now)
        >>> waiting.join([4, 5])
        >>> waiting.take(alone=False), waiting.ready
        (4, True)
    """

    def __init__(self, unfinished: Iterable[TrialRecord], clock: Callable[[], float]) -> None:
        ordered = sorted(unfinished, key=lambda record: (record.drivers_lost, record.number))
        self._clock = clock
        self._ready = deque(record.number for record in ordered if record.drivers_lost < ALONE_FROM)
        # Each may be the one that kills drivers: alone, it charges no other, and all others are done by then.
        self._suspects = deque(record.number for record in ordered if record.drivers_lost >= ALONE_FROM)
        self._paused: list[tuple[float, int]] = []  # from when on, and the trial

    def __bool__(self) -> bool:
        """Whether any trial waits, for a worker or for its time."""
        return bool(self._ready or self._paused or self._suspects)

    @property
    def ready(self) -> bool:
        """Whether one may have a worker now, beside others."""
        due = self._due()
        self._paused = [each for each in self._paused if each not in due]
        self._ready.extendleft(number for _, number in reversed(due))
        return bool(self._ready)

    @property
    def soon(self) -> bool:
        """Whether a trial's pause will be over so soon that a worker with nothing beside it waits for that.

        Another trial in its turn would change what all later ones are sampled and judged by.
        """
        return not self.ready and any(due - self._clock() <= WAITED_FOR_S for due, _ in self._paused)

    def take(self, *, alone: bool) -> int | None:
        """The next trial's number, None if all have to wait.

        Args:
            alone: nothing else is being worked on.
        """
        if self.ready:
            return self._ready.popleft()
        return self._suspects.popleft() if alone and self._suspects and not self._paused else None

    def _due(self) -> list[tuple[float, int]]:
        """Trials whose pause is over, in the order of its end."""
        return sorted(each for each in self._paused if each[0] <= self._clock())

    def join(self, numbers: Iterable[int]) -> None:
        """New trials, in this order."""
        self._ready.extend(numbers)

    def rejoin(self, number: int, times_lost: int = 0) -> float:
        """A trial that was being worked on, before all others; the seconds that it waits first.

        What takes a worker away (a node, a store, the memory) often takes the next one too.
        """
        if times_lost == 0:
            self._ready.appendleft(number)
            return 0.0
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * PAUSE_FACTOR ** (times_lost - 1))
        self._paused.append((self._clock() + pause, number))
        return pause
