"""A driver killed before any of its writes, once or again and again: nothing is lost, nothing doubled."""

from __future__ import annotations

import contextlib

import pytest
from fake_cluster import Cluster, Drivers
from hypothesis import given, settings
from hypothesis import strategies as st
from killable_storage import KillableStorage, Killed
from sweep_makers import sweep_config

CONFIG = sweep_config(
    trials=5,
    max_epochs=3,
    pruner="threshold",
    pruner_args={"lower": 0.5, "n_warmup_steps": 0},
    keep_checkpoints=1,
    max_failed_share=1.0,
)
Outcome = list[tuple[str, str | None, list[float], float | None]]


def accuracy(number: int, epoch: int) -> float:
    """In its second epoch the second trial falls behind, the third breaks, the fifth leaves the numbers."""
    if number == 4 and epoch == 2:
        raise FloatingPointError("nan")
    if number % 3 == 1 and epoch == 2:
        return 0.4
    if number % 3 == 2 and epoch == 2:
        raise ArithmeticError("it broke")
    return 0.5 + number / 100 + epoch / 10


def outcome(cluster: Cluster) -> Outcome:
    """How every trial of the study ended; read from the study alone."""
    return [
        (r.state.name, r.stop_reason, [e.metrics["val_acc"] for e in r.epochs], r.value)
        for r in cluster.drivers.start().records
    ]


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Outcome, int]:
    """The outcome of a sweep that nothing happens to, and how many writes it takes."""
    storage = KillableStorage()
    cluster = Cluster(Drivers(CONFIG, storage), accuracy)
    cluster.run()
    writes = storage.writes
    return outcome(cluster), writes


def run_killed(kills: list[int]) -> tuple[Cluster, int]:
    """Drive a sweep to its end, killing each driver after so many writes; returns how many were killed."""
    storage = KillableStorage()
    cluster = Cluster(Drivers(CONFIG, storage), accuracy)
    killed = 0
    for writes in kills:
        storage.kill_after(writes)
        try:
            cluster.run()
        except Killed:
            killed += 1
        storage.revive()
    cluster.run()
    return cluster, killed


def check(cluster: Cluster, expected: Outcome) -> None:
    """Every trial ended as it would have, and each epoch was trained once."""
    assert outcome(cluster) == expected
    assert set(cluster.trained.values()) == {1}
    complete = [n for n, (state, *_) in enumerate(expected) if state == "COMPLETE"]
    assert set(cluster.drivers.checkpoints.epochs) == {complete[-1]}, "of the finished ones the best is kept"


def test_the_sweep_has_an_ending_of_each_kind(undisturbed: tuple[Outcome, int]) -> None:
    expected, writes = undisturbed
    assert [(state, reason, len(values)) for state, reason, values, _ in expected] == [
        ("COMPLETE", "finished", 3),
        ("PRUNED", "pruned", 2),
        ("FAIL", "error", 1),
        ("COMPLETE", "finished", 3),
        ("PRUNED", "diverged", 1),
    ]
    assert writes > 40


@pytest.mark.parametrize("first", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_driver_may_be_killed_before_any_of_its_writes(
    undisturbed: tuple[Outcome, int], first: int
) -> None:
    expected, writes = undisturbed
    for last_write in range(first, writes, 2):
        cluster, killed = run_killed([last_write])
        assert killed == 1
        check(cluster, expected)


@settings(deadline=None, max_examples=25)
@given(kills=st.lists(st.integers(0, 12), max_size=12))
def test_drivers_may_be_killed_again_and_again(undisturbed: tuple[Outcome, int], kills: list[int]) -> None:
    cluster, _ = run_killed(kills)
    check(cluster, undisturbed[0])


def test_a_driver_that_is_always_killed_at_once_changes_nothing() -> None:
    storage = KillableStorage()
    cluster = Cluster(Drivers(CONFIG, storage), accuracy)
    cluster.run()
    before = outcome(cluster)
    for _ in range(3):
        storage.kill_after(0)
        with contextlib.suppress(Killed):
            cluster.run()
        storage.revive()
    assert outcome(cluster) == before
