"""The test split is read once for a sweep, and how often a test set was read is counted across sweeps.

What was chosen by looking at a test set twice is no test any more, whichever sweeps looked.

A read is noted in its sweep's folder when the evaluation is through and nobody has seen its result yet: a
test that failed or was killed half-way leaves none, and no result can be seen of which there is no note.
This cannot wait for MLflow, which may be away. But a folder of sweeps is one person's and may be deleted,
and an MLflow store is a team's. So the note goes to MLflow too, as tags of the retraining's run
(`search.tracking.models.test_reads`), and the count is of what either knows, each read once by its name and
time. What the store missed while it was away, it gets when the command is run again, as its user is told.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from filelock import FileLock

from cifar_cnn.files import write_atomically
from search.config.sweep_config import SweepConfig, sweep_names
from search.errors import UserError

_FILE = "reads_of_test.json"


def check_test_read(sweep: SweepConfig, retrainings: Collection[str], *, again: bool) -> None:
    """Before anything is trained: whether one of these retrainings may read the test split.

    The same retraining may, for it goes on after a crash and with further seeds. Another one of the same
    sweep has seen the first one's result, or its user has.

    Args:
        sweep: whose data are read.
        retrainings: their names: one for each finalist while the winner is not known.
        again: read it all the same.

    Raises:
        UserError: another retraining of the sweep has read it, and `again` is not set.
    """
    reads = _reads(sweep.folder)
    if reads and not again and not has_read_test(sweep, retrainings):
        raise UserError(
            f"the test split was read for sweep {sweep.name!r} by {reads[0]['retraining']} already: choosing "
            "between several results on it would make the chosen one too good. Report that one, or read it "
            "again with `test_again`, which is recorded"
        )


def has_read_test(sweep: SweepConfig, retrainings: Collection[str]) -> bool:
    """Whether one of these retrainings has read the test split."""
    return any(read["retraining"] in retrainings for read in _reads(sweep.folder))


def note_test_read(sweep: SweepConfig, retraining: str, test_set: str | None) -> None:
    """Write down that a retraining has read the test split; once, however often it is resumed.

    Args:
        sweep: that it is of.
        retraining: its name.
        test_set: digest of what was read, if there is one.
    """
    # Another retraining of the sweep may be noting its own.
    with FileLock(sweep.folder / f"{_FILE}.lock"):
        reads = _reads(sweep.folder)
        if any(read["retraining"] == retraining for read in reads):
            return
        read = {"retraining": retraining, "time_ms": int(time.time() * 1000), "again": bool(reads)}
        reads.append(read if test_set is None else {**read, "test_set": test_set})
        write_atomically(sweep.folder / _FILE, json.dumps(reads, indent=1) + "\n")


def reads_of_test(sweep: SweepConfig) -> int:
    """How many retrainings of a sweep have read its test split."""
    return len(_reads(sweep.folder))


def read_of(sweep: SweepConfig, retraining: str) -> str | None:
    """The read of a retraining, by which it is told from all others; None if there is none."""
    reads = [read for read in _reads(sweep.folder) if read["retraining"] == retraining]
    return _id(reads[0]) if reads else None


def reads_of_set(sweep: SweepConfig, test_set: str) -> set[str]:
    """The reads of a test set by all sweeps in the folder that this one lies in."""
    return {
        _id(read)
        for name in sweep_names(sweep.sweeps_dir)
        for read in _reads(sweep.sweeps_dir / name)
        if read.get("test_set") == test_set or ("test_set" not in read and _same_data(sweep, name))
    }


def newest_test_read(sweep: SweepConfig) -> str | None:
    """The name of the retraining that has read it last; None if there is none."""
    reads = _reads(sweep.folder)
    return str(reads[-1]["retraining"]) if reads else None


def _same_data(sweep: SweepConfig, name: str) -> bool:
    """Whether another sweep has the same images: its reads may be from before test sets had a digest."""
    with contextlib.suppress(UserError):  # one that cannot be read has no say
        other = SweepConfig.load(name, sweep.sweeps_dir).dataset
        if other is not None and sweep.dataset is not None:
            return other.digest.partition("-")[0] == sweep.dataset.digest.partition("-")[0]
    return False


def _id(read: dict[str, Any]) -> str:
    return f"{read['retraining']} {read['time_ms']}"


def _reads(folder: Path) -> list[dict[str, Any]]:
    file = folder / _FILE
    reads: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return reads
