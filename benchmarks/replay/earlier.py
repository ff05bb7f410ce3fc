"""What sweeps of other tasks have found, for a sweep that learns from them."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.replay.tasks import RANDOM_CONFIGURATIONS, Task
from search.launching.portfolio import Found, portfolio
from search.policy.curves.encoding import Encoding
from search.policy.curves.table import Curve


class Earlier(NamedTuple):
    """Which earlier sweeps a method learns from: random searches, each of a task of its own."""

    sweeps: int | None  # None: of all other tasks
    misleading: bool = False  # takes the worst for the best


def found_before(tasks: Sequence[Callable[[], Task]], seed: int, earlier: Earlier) -> list[dict[str, Any]]:
    """The configurations that a sweep takes from earlier ones.

    Args:
        tasks: load others than the one that is about to be swept, with the same space.
        seed: of the sweep that learns.
        earlier: the sweeps before it.
    """
    rng = np.random.default_rng([seed, 1])
    places = rng.permutation(len(tasks))[: earlier.sweeps]
    chosen = [tasks[place]() for place in places]
    return portfolio([_found(task, seed, earlier.misleading) for task in chosen], chosen[0].space)


@functools.lru_cache(64)
def _found(task: Task, seed: int, misleading: bool) -> Found:
    """By a search in which each trial is trained to its end."""
    rng = np.random.default_rng([seed, 2, zlib.crc32(task.name.encode())])  # no two tasks' draws alike
    encoding, session = Encoding(task.space), task.session()
    had = [
        dict(session.had(number, encoding.values(rng.random(encoding.dimensions))))
        for number in range(RANDOM_CONFIGURATIONS)
    ]
    values = [(-1 if misleading else 1) * session.end(number) for number in range(len(had))]
    ends = [value if np.isfinite(value) else np.inf for value in values]
    curves = [
        Curve(encoding.point(params), (task.epochs,), (end,), failed=False)
        for params, end in zip(had, ends, strict=True)
        if np.isfinite(end)
    ]
    order = np.argsort(ends, kind="stable")
    return Found("earlier", [had[place] for place in order], curves, task.epochs)
