"""Named points at which a process can be made to die, for proving that dying there is harmless.

`SWEEP_FAIL_POINT=report.after` kills the first process that gets there, `report.after:3` at its third
time. With `SWEEP_FAIL_ONCE=FILE` only one process ever dies: the one that creates the file. Unset, as
always outside of tests, a point costs one look into a dictionary.
"""

from __future__ import annotations

import collections
import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Literal, get_args

DurableWrite = Literal[
    "ask",  # a trial into the study, with its parameters
    "start",  # a worker has taken a trial
    "run",  # a trial's run into MLflow
    "checkpoint",  # a checkpoint onto its file system; in a worker
    "report",  # an epoch into the study
    "points",  # an epoch into MLflow
    "freeze",  # an epoch into the study at which a trial is frozen
    "thaw",  # a frozen trial handed out again
    "drop",  # a note that a frozen trial's checkpoint is about to go
    "prune",  # a trial's end in the study, by its kind
    "complete",
    "fail",
    "status",  # a trial's end into MLflow
    "retention",  # checkpoints deleted
]
FAIL_POINTS = tuple(f"{write}.{when}" for write in get_args(DurableWrite) for when in ("before", "after"))

_times: collections.Counter[str] = collections.Counter()


@contextlib.contextmanager
def durable(write: DurableWrite) -> Iterator[None]:
    """Mark a durable write, with a fail point before and one after it."""
    _maybe_die(f"{write}.before")
    yield
    _maybe_die(f"{write}.after")


def _maybe_die(point: str) -> None:
    wanted = os.environ.get("SWEEP_FAIL_POINT")
    if wanted is None:
        return
    name, _, times = wanted.partition(":")
    if name != point:
        return
    _times[point] += 1
    if _times[point] == int(times or 1) and _first():
        os.kill(os.getpid(), signal.SIGKILL)


def _first() -> bool:
    """Whether nobody has died yet, as far as that is asked for."""
    marker = os.environ.get("SWEEP_FAIL_ONCE")
    if marker is None:
        return True
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
