"""A sweep that freezes its trials and thaws them, driven by the dispatcher: to its end, stopped, killed."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cluster import Cluster, Drivers, fail, take
from halving import Halving
from hypothesis import given, settings
from hypothesis import strategies as st
from killable_storage import KillableStorage, Killed
from sweep_makers import epoch, sweep_config

from search.engine.messages import Message
from search.engine.observers import Stop
from search.study.records import Outcome, StopReason
from search.study.transitions import Decision

Trained = list[tuple[str, list[float], list[tuple[int | None, int, str]], dict[str, Any]]]


def accuracy(number: int, epoch: int) -> float:
    """The third trial, which is good, leaves the numbers once it is thawed."""
    if number == 2 and epoch == 2:
        raise FloatingPointError("nan")
    return (0.5, 0.3, 0.6, 0.4, 0.7, 0.2)[number] + epoch / 10


def drivers(storage: KillableStorage | None = None, **fields: Any) -> Drivers:
    """A sweep of 6 trials that are frozen after their first epoch of three."""
    config = sweep_config(**{"trials": 6, "sampler": "tpe", "keep_checkpoints": 1, **fields})
    return Drivers(config, *([storage] if storage else []), promotion=Halving)


def trained(cluster: Cluster) -> Trained:
    """What became of every trial, and how it was handed out; read from the study alone."""
    return [
        (
            record.outcome.value,
            [each.metrics["val_acc"] for each in record.epochs],
            [(each.until, each.reports, each.why) for each in record.hand_outs],
            dict(record.params),
        )
        for record in cluster.drivers.start().records
    ]


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Trained, int]:
    """What a sweep with one worker comes to that nothing happens to, and how many writes it takes."""
    storage = KillableStorage()
    cluster = Cluster(drivers(storage), accuracy)
    cluster.run(slots=1)
    writes = storage.writes
    return trained(cluster), writes


def run_killed(kills: list[int]) -> tuple[Cluster, int]:
    """Drive a sweep to its end, killing each driver after so many writes; returns how many were killed."""
    storage = KillableStorage()
    cluster = Cluster(drivers(storage), accuracy)
    killed = 0
    for writes in kills:
        storage.kill_after(writes)
        try:
            cluster.run(slots=1)
        except Killed:
            killed += 1
        storage.revive()
    cluster.run(slots=1)
    return cluster, killed


def test_a_sweep_thaws_its_better_half_and_prunes_the_rest(undisturbed: tuple[Trained, int]) -> None:
    outcomes = [(outcome, len(values), len(handed)) for outcome, values, handed, _ in undisturbed[0]]
    assert outcomes == [
        ("complete", 3, 2),
        ("pruned", 1, 1),
        ("diverged", 1, 2),
        ("pruned", 1, 1),
        ("complete", 3, 2),
        ("pruned", 1, 1),
    ]


@pytest.mark.parametrize("first", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_driver_killed_before_any_of_its_writes_changes_no_decision(
    undisturbed: tuple[Trained, int], first: int
) -> None:
    expected, writes = undisturbed
    for last_write in range(first, writes, 2):
        cluster, killed = run_killed([last_write])
        assert killed == 1
        assert trained(cluster) == expected
        assert set(cluster.trained.values()) == {1}, "no epoch is trained twice"


@settings(deadline=None, max_examples=15)
@given(kills=st.lists(st.integers(0, 12), max_size=12))
def test_drivers_killed_again_and_again_change_no_decision(
    undisturbed: tuple[Trained, int], kills: list[int]
) -> None:
    cluster, _ = run_killed(kills)
    assert trained(cluster) == undisturbed[0]
    assert set(cluster.trained.values()) == {1}


def test_a_frozen_attempt_frees_its_worker_and_its_checkpoint_stays() -> None:
    made = drivers()
    dispatcher = made.start(slots=1)
    take(dispatcher, "a")
    made.checkpoints.epochs[0] = (epoch(1, 0.5),)
    saved = epoch(1, 0.5, checkpoint="trial-000/epoch-0001")
    assert dispatcher.receive("a", Message(epochs=(saved,))) is Decision.FREEZE
    assert take(dispatcher, "b") is None, "its objective still cleans up"
    dispatcher.receive("a", Message(left=True))
    dispatcher.ended("a")
    given = take(dispatcher, "b")
    assert given is not None
    assert given.number == 1
    assert 0 in made.checkpoints.epochs
    assert dispatcher.records[0].outcome is Outcome.FROZEN


def test_a_trial_that_froze_counts_among_those_that_could_be_trained() -> None:
    dispatcher = drivers(share_after=2, first_failures=1).start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1),)))
    dispatcher.ended("a")
    take(dispatcher, "b")
    fail(dispatcher, "b")
    assert dispatcher.stop is None, "of two trials one has failed"


@pytest.mark.parametrize("gone", ["lost", "interrupted"])
def test_a_worker_that_dies_as_it_leaves_a_frozen_trial_does_the_trial_no_harm(gone: str) -> None:
    made = drivers()
    dispatcher = made.start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1),)))
    if gone == "lost":
        dispatcher.lost("a", StopReason.LOST, "killed")
    else:
        dispatcher.interrupted("a")
    assert made.start().records[0].frozen


def test_a_sweep_that_is_stopped_keeps_its_frozen_trials_for_the_resume() -> None:
    cluster = Cluster(drivers(), accuracy)
    dispatcher = cluster.drivers.start(slots=1)
    for attempt in "ab":
        take(dispatcher, attempt)
        dispatcher.receive(attempt, Message(epochs=(epoch(1),)))
        dispatcher.ended(attempt)
    dispatcher.request_stop(Stop.INTERRUPTED)
    assert dispatcher.next("c") is None
    assert dispatcher.done
    assert [record.outcome for record in cluster.drivers.start().records] == [Outcome.FROZEN] * 2
    ended = cluster.run()
    assert {record.outcome for record in ended.records} <= {
        Outcome.COMPLETE,
        Outcome.PRUNED,
        Outcome.DIVERGED,
    }


def test_a_sweep_has_not_come_to_its_end_while_trials_are_frozen() -> None:
    dispatcher = drivers(trials=1).start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1),)))
    dispatcher.ended("a")
    assert not dispatcher.done
    assert dispatcher.next("b") is None
    assert dispatcher.done
    assert dispatcher.records[0].outcome is Outcome.PRUNED


def test_a_budget_of_epochs_is_never_exceeded_by_trials_at_work_together() -> None:
    cluster = Cluster(drivers(budget=10, trials=100), lambda number, epoch: number / 100 + epoch / 10)
    cluster.run(slots=4)
    assert 8 <= sum(cluster.trained.values()) <= 10


@pytest.mark.parametrize("limit", [{"keep_frozen": 2}, {"keep_frozen_size": 2}])
def test_only_the_best_frozen_trials_keep_their_checkpoints(limit: dict[str, Any]) -> None:
    made = drivers(trials=100, budget=3, **limit)  # a thaw would not fit
    dispatcher = made.start(slots=1)
    for number, value in enumerate((0.5, 0.3, 0.6)):
        take(dispatcher, str(number))
        saved = epoch(1, value, checkpoint=f"trial-00{number}/epoch-0001")
        made.checkpoints.epochs[number] = (saved,)
        dispatcher.receive(str(number), Message(epochs=(saved,)))
        dispatcher.ended(str(number))
    assert set(made.checkpoints.epochs) == {0, 2}
    assert [record.resumes_at for record in dispatcher.records] == [1, 0, 1]
    assert [record.resumes_at for record in made.start().records] == [1, 0, 1]


@pytest.mark.parametrize(("checkpoint", "known"), [("trial-000/epoch-0001", 1), (None, 0)])
def test_a_thawed_trial_is_expected_to_go_on_from_what_it_has_a_checkpoint_of(
    checkpoint: str | None, known: int
) -> None:
    dispatcher = drivers().start(slots=1)
    for attempt, value in (("a", 0.9), ("b", 0.1)):
        take(dispatcher, attempt)
        dispatcher.receive(attempt, Message(epochs=(epoch(1, value, checkpoint=checkpoint),)))
        dispatcher.ended(attempt)
    thawed = take(dispatcher, "c")
    assert thawed is not None
    assert (thawed.number, thawed.epochs_known) == (0, known)
