"""What a free slot does in a sweep that freezes trials at rungs: thaw one, or ask for a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from search.study.records import TrialRecord


@dataclass(frozen=True)
class Left:
    """What is left of a sweep's size.

    Example:
        >>> Left(trials=4, epochs=120, budget=540).epochs
        120
    """

    trials: int  # that may still be asked for
    epochs: int | None  # of the budget, neither trained nor handed out; None: the size is in trials alone
    budget: int | None  # epochs in all
    enqueued: int = 0  # trials that wait in the study, such as those that failed and are tried once more


@dataclass(frozen=True)
class Thaw:
    """Train a frozen trial on.

    Example:
        >>> Thaw(number=14, until=9, why="best third of rung 3").until
        9
    """

    number: int
    until: int | None  # the epoch that it freezes at again; None: it trains to its end
    why: str


@dataclass(frozen=True)
class Ask:
    """Ask the sampler for a new trial.

    Example:
        >>> Ask(until=1, why="new").until
        1
    """

    until: int | None  # the epoch that it freezes at; None: it trains to its end
    why: str


class Promotion(Protocol):
    """Decides which trial gets the next epochs, from the trials' records alone."""

    def changed(self, record: TrialRecord) -> None:
        """A trial is another than before, in the study; at the start each is told of once, by number."""

    def next(self, left: Left) -> Thaw | Ask | None:
        """What a free slot does; None: nothing, until a trial that runs has changed, or for good."""
