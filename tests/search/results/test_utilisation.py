"""What a sweep's slots did, from the epochs' own times."""

from __future__ import annotations

import pytest
from sweep_makers import epoch, record

from search.results.utilisation import utilisation
from search.study.records import Epoch


def at(number: int, end_s: float, seconds: float, worker: str) -> Epoch:
    metrics = {"val_acc": 0.5, "epoch_s": float(seconds)}
    return epoch(number, metrics=metrics, timestamp_ms=int(end_s * 1000), worker=worker)


def test_training_and_idle_time_are_told_apart() -> None:
    records = [
        record(0, epochs=(at(1, 110, 10, "a"), at(2, 120, 8, "a"))),
        record(1, epochs=(at(1, 105, 5, "b"),)),
    ]
    used = utilisation(records, slots=2, since_ms=0)
    assert used is not None
    assert used.wall_s == 20
    assert used.training_s == 23
    assert used.efficiency == pytest.approx(23 / 40)
    assert used.tail_s == 15


def test_a_worker_that_was_replaced_is_not_idle() -> None:
    records = [record(0, epochs=(at(1, 101, 1, "dead"), at(2, 110, 4, "new")))]
    used = utilisation(records, slots=1, since_ms=0)
    assert used is not None
    assert used.tail_s == 0


def test_what_an_earlier_launch_trained_does_not_count() -> None:
    records = [record(0, epochs=(at(1, 10, 5, "old"), at(2, 1010, 5, "new")))]
    used = utilisation(records, slots=1, since_ms=1_000_000)
    assert used is not None
    assert (used.wall_s, used.training_s) == (5, 5)


def test_nothing_is_told_where_nothing_was_timed() -> None:
    assert utilisation([], slots=2, since_ms=0) is None
    assert utilisation([record(0, epochs=(epoch(1, metrics={"val_acc": 0.5}),))], slots=2, since_ms=0) is None
