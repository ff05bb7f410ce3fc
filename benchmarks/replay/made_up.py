"""Curves that are made up, for what has to do with how many there are, not with what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import FloatDistribution

from benchmarks.replay.tasks import Goal
from spaces.space import SearchSpace


class MadeUp:
    """A task of any size: power laws that end the lower the nearer a configuration is to the middle.

    Args:
        parameters: how many.
        epochs: of a whole training.

    Example:
        >>> session = MadeUp(parameters=2, epochs=9).session()
        >>> session.had(0, {"x0": 0.5, "x1": 0.5})
        {'x0': 0.5, 'x1': 0.5}
        >>> session.value(0, 9) < session.value(0, 1)
        True
    """

    discrete = False

    def __init__(self, parameters: int, epochs: int) -> None:
        self.name = f"made-up:{parameters}"
        self.epochs = epochs
        self.goal = Goal(best=0.0, best_end=0.0, first=1.0, random_end=0.1)
        self.space = SearchSpace(
            name="made-up",
            description="Made-up parameters.",
            parameters={f"x{n}": FloatDistribution(0.0, 1.0) for n in range(parameters)},
        )

    def session(self) -> _MadeUpSession:
        """The task for a new sweep."""
        return _MadeUpSession(self.epochs)


class _MadeUpSession:
    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._at: dict[int, list[float]] = {}

    def had(self, number: int, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """The wish itself."""
        self._at[number] = list(wish.values())
        return dict(wish)

    def value(self, number: int, epoch: int) -> float:
        """With noise that follows from the trial and the epoch."""
        at = np.array(self._at[number])
        floor = 0.1 + float(np.abs(at - 0.5).mean())
        noise = float(np.random.default_rng([number, epoch]).normal(0, 0.01))
        return floor + float(epoch ** -(0.5 + at[0])) + noise

    def end(self, number: int) -> float:
        """The last epoch's."""
        return self.value(number, self._epochs)

    def seconds(self, number: int) -> float:
        """All alike."""
        return 1.0
