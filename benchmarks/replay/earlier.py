"""What sweeps of other tasks have found, for a sweep that learns from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.replay.tasks import RANDOM_CONFIGURATIONS, Task
from search.launching.earlier import in_turn
from search.policy.curves.encoding import Encoding

SWEEPS = 3  # earlier ones, of other tasks
_BEST_OF_EACH = 5


def found_before(tasks: Sequence[Callable[[], Task]], seed: int, *, worst: bool) -> list[dict[str, Any]]:
    """The best configurations of random searches, each of a task of its own; or their worst, to mislead.

    Args:
        tasks: load others than the one that is about to be swept, with the same space.
        seed: of the sweep that learns.
        worst: whether to be misled.
    """
    rng = np.random.default_rng([seed, 1])
    places = rng.choice(len(tasks), min(SWEEPS, len(tasks)), replace=False)
    chosen = [tasks[place]() for place in places]
    found = [_ranked(task, rng, worst)[:_BEST_OF_EACH] for task in chosen]
    return in_turn(found, chosen[0].space)


def _ranked(task: Task, rng: np.random.Generator, worst: bool) -> list[dict[str, Any]]:
    encoding, session = Encoding(task.space), task.session()
    wishes = [encoding.values(rng.random(encoding.dimensions)) for _ in range(RANDOM_CONFIGURATIONS)]
    had = [dict(session.had(number, wish)) for number, wish in enumerate(wishes)]
    ends = np.array([session.end(number) for number in range(len(had))])
    order = np.argsort(np.where(np.isfinite(ends), ends, np.inf), kind="stable")
    return [had[place] for place in (order[::-1] if worst else order)]
