"""The test split is read once for a sweep: what was chosen by looking at it twice is no test any more."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import Any

from cifar_cnn.files import write_atomically
from search.config.sweep_config import SweepConfig
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
    reads = _reads(sweep)
    if reads and not again and not has_read_test(sweep, retrainings):
        raise UserError(
            f"the test split was read for sweep {sweep.name!r} by {reads[0]['retraining']} already: choosing "
            "between several results on it would make the chosen one too good. Report that one, or read it "
            "again with `test_again`, which is recorded"
        )


def has_read_test(sweep: SweepConfig, retrainings: Collection[str]) -> bool:
    """Whether one of these retrainings has read the test split."""
    return any(read["retraining"] in retrainings for read in _reads(sweep))


def note_test_read(sweep: SweepConfig, retraining: str) -> None:
    """Write down that a retraining is about to read the test split; once, however often it is resumed."""
    reads = _reads(sweep)
    if any(read["retraining"] == retraining for read in reads):
        return
    reads.append({"retraining": retraining, "time_ms": int(time.time() * 1000), "again": bool(reads)})
    write_atomically(sweep.folder / _FILE, json.dumps(reads, indent=1) + "\n")


def reads_of_test(sweep: SweepConfig) -> int:
    """How many retrainings of a sweep have read its test split."""
    return len(_reads(sweep))


def newest_test_read(sweep: SweepConfig) -> str | None:
    """The name of the retraining that has read it last; None if there is none."""
    reads = _reads(sweep)
    return str(reads[-1]["retraining"]) if reads else None


def _reads(sweep: SweepConfig) -> list[dict[str, Any]]:
    file = sweep.folder / _FILE
    reads: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return reads
