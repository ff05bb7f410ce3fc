"""The attempts that are under way: which trial each works on, and when it was last heard of."""

from __future__ import annotations

from collections.abc import Callable

from search.config.sweep_config import SweepConfig


class WorkingAttempts:
    """Attempts by Ray's id, from when one is handed out until its worker is free again.

    Args:
        config: tells how long a worker may be silent, and clean up.
        clock: monotonic seconds.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=1, max_epochs=1)
        >>> working = WorkingAttempts(config, clock=lambda: 0.0)
        >>> working.begin("8a1f", number=3)
        >>> working.number("8a1f"), working.forget("8a1f")
        (3, 3)
    """

    def __init__(self, config: SweepConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._numbers: dict[str, int] = {}
        self._heard: dict[str, float] = {}  # when an attempt last said something, or began to run
        self._leaving: dict[str, float] = {}  # when an attempt was told to stop; it cleans up

    def __len__(self) -> int:
        return len(self._numbers)

    def begin(self, attempt: str, number: int) -> None:
        """An attempt at a trial is handed out."""
        self._numbers[attempt] = number

    def number(self, attempt: str) -> int:
        """Number of the trial that an attempt works on."""
        return self._numbers[attempt]

    def starts(self, attempt: str) -> bool:
        """A worker has taken an attempt; returns whether that is new."""
        new = attempt in self._numbers and attempt not in self._heard
        if new:
            self.heard(attempt)
        return new

    def heard(self, attempt: str) -> None:
        """A worker has said something."""
        self._heard[attempt] = self._clock()

    def told_to_stop(self, attempt: str) -> None:
        """From now on an attempt cleans up; said again it changes nothing."""
        self._leaving.setdefault(attempt, self._clock())

    def is_leaving(self, attempt: str) -> bool:
        """Whether an attempt was told to stop."""
        return attempt in self._leaving

    def overdue(self, attempt: str) -> bool:
        """Whether an attempt that has a worker has been silent, or cleaned up, for longer than it may."""
        now = self._clock()
        if attempt in self._leaving:
            return now - self._leaving[attempt] > self._config.cleanup_time
        timeout = self._config.trial_timeout
        return timeout is not None and now - self._heard.get(attempt, now) > timeout

    def forget(self, attempt: str) -> int | None:
        """Strike an attempt off; the number of its trial, if it was under way."""
        self._heard.pop(attempt, None)
        self._leaving.pop(attempt, None)
        return self._numbers.pop(attempt, None)
