"""What another hour would probably bring, by what the last ones have brought.

The best value so far falls, as a rule, by about the same amount each time that the training behind it
doubles, and by less later. So training goes on to bring, a doubling, half of what the last one brought and a
quarter of what the one before it did, and with each further doubling half as much. Replayed on recorded
curves, for an hour that is a tenth of the budget, this is about right on average, and nine times of ten no
more comes than four times as much (docs/search_methods.md).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.results.statistics import accuracy_deviation, bounds
from search.study.records import Epoch, TrialRecord

_FEWEST = 8  # trials that have reported, three of them in the first quarter
_EARLY = 3
MOST_TIMES = 4.0  # the expected gain: what comes nine times of ten at most
WORTHLESS = "worthless"
SHARE_OF_NOISE = 0.5  # below it an hour is worth nothing: a gain that a second seed would undo


@dataclass(frozen=True)
class Outlook:
    """What another hour of the same training would bring to the best value.

    Attributes:
        gain: to be expected, 0 or more.
        most: what comes nine times of ten at most.
        noise: deviation between seeds of one configuration; None if nothing is known of it.

    Example:
        >>> print(Outlook(gain=0.0004, most=0.0016, noise=0.004))
        another hour would probably bring 0.0004 (at most 0.0016 nine times of ten); seeds differ by 0.004
    """

    gain: float
    most: float
    noise: float | None

    def __str__(self) -> str:
        seeds = "" if self.noise is None else f"; seeds differ by {self.noise:.2g}"
        return (
            f"another hour would probably bring {self.gain:.2g} (at most {self.most:.2g} nine times of ten)"
            f"{seeds}"
        )

    def is_too_little(self, stop_when: str) -> bool:
        """Whether a sweep is to end by this: `worthless`, or a gain an hour such as `0.001/h`."""
        if stop_when == WORTHLESS:
            return self.noise is not None and self.gain < SHARE_OF_NOISE * self.noise
        return self.gain < float(stop_when.removesuffix("/h"))


class Progress:
    """The best value so far along the training behind it, taken in as it is reported.

    Args:
        config: the sweep.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=9, max_epochs=1)
        >>> Progress(config).outlook is None
        True
    """

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._known: dict[int, int] = {}  # epochs of each trial that are taken in
        self._trained = [0.0]  # seconds of all epochs up to each
        self._best = [math.nan]  # after each
        self._reported: list[float] = []  # seconds of training behind each trial's first report
        self._busy_s = 0.0  # in which somebody trained
        self._busy_until = -math.inf

    def add(self, records: Sequence[TrialRecord]) -> None:
        """Take in what is new of some trials."""
        new: list[tuple[Epoch, bool]] = []
        for record in records:
            known = self._known.get(record.number, 0)
            new += [(epoch, not place) for place, epoch in enumerate(record.epochs[known:], known)]
            self._known[record.number] = len(record.epochs)
        for epoch, is_first in sorted(new, key=lambda each: (each[0].timestamp_ms, each[0].worker)):
            self._add(epoch, is_first)

    def _add(self, epoch: Epoch, is_first: bool) -> None:
        seconds, value = epoch.metrics.get("epoch_s", 0.0), epoch.metrics[self._config.metric]
        end = epoch.timestamp_ms / 1000
        self._busy_s += max(0.0, end - max(end - seconds, self._busy_until))
        self._busy_until = max(self._busy_until, end)
        self._trained.append(self._trained[-1] + seconds)
        better = max if self._config.goal.maximises else min
        self._best.append(value if math.isnan(self._best[-1]) else better(self._best[-1], value))
        if is_first:
            self._reported.append(self._trained[-1])

    @property
    def outlook(self) -> Outlook | None:
        """What another hour would bring; None while too little is known."""
        trained = self._trained[-1]
        early = bisect.bisect_right(self._reported, trained / 4)
        if len(self._reported) < _FEWEST or early < _EARLY or not self._busy_s:
            return None
        best = self._best[-1]
        half, quarter = (self._at(trained / part) for part in (2, 4))
        an_hour = 3600 * trained / self._busy_s  # of training, with as many at a time as so far
        gain = expected_gain(best, half, quarter, an_hour / trained)
        low, high = bounds(self._config.metric, [best])  # an accuracy has 1 above it
        room = high - best if self._config.goal.maximises else best - low
        return Outlook(min(gain, room), min(MOST_TIMES * gain, room), seed_noise(self._config, best))

    def _at(self, trained: float) -> float:
        return self._best[bisect.bisect_right(self._trained, trained) - 1]


def expected_gain(best: float, half: float, quarter: float, more: float) -> float:
    """What more training would bring.

    Args:
        best: the best value so far.
        half: the best after half of the training so far.
        quarter: after a quarter.
        more: training to come, in units of that so far.

    Example:
        >>> gains = [expected_gain(best=0.8, half=0.7, quarter=0.5, more=more) for more in (0.1, 1.0, 99.0)]
        >>> [round(gain, 3) for gain in gains]
        [0.013, 0.072, 0.143]
    """
    a_doubling = abs(best - half) / 2 + abs(half - quarter) / 4
    return a_doubling * (1 - 1 / (1 + more)) / math.log(2)


def outlook(config: SweepConfig, records: Sequence[TrialRecord]) -> Outlook | None:
    """What another hour of a sweep would bring; None while too little is known."""
    progress = Progress(config)
    progress.add(records)
    return progress.outlook


def seed_noise(config: SweepConfig, value: float) -> float | None:
    """The deviation between seeds, by rule, of an accuracy on known images; None of other metrics."""
    images = config.validation_images
    return None if images is None or not 0 < value < 1 else accuracy_deviation(value, images)


def check_stop_when(config: SweepConfig) -> None:
    """Refuse to compare with a noise that nobody knows.

    Raises:
        UserError: names the rule, and what to give instead.
    """
    if config.stop_when == WORTHLESS and config.classes is None:
        raise UserError(
            f"`stop_when={WORTHLESS}`: how far seeds differ is known of an accuracy on images alone, and not "
            f"of this sweep's {config.metric}: give a rate, such as `stop_when=0.001/h`"
        )
