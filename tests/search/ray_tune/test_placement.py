"""What a trial gets and how many run at once: by default, as asked, and never more than there is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sweep_makers import sweep_config

from search.errors import UserError
from search.ray_tune.placement import Node, Placement, on_cluster, plan_placement


def planned(cpus: float, gpus: float, **fields: Any) -> tuple[float, float, int]:
    """CPUs and GPUs of a trial, and how many run at once, on a machine with so many."""
    return planned_on([Node(cpus, gpus)], **fields)


def planned_on(nodes: list[Node], **fields: Any) -> tuple[float, float, int]:
    """The same on a cluster."""
    placement = plan_placement(sweep_config(**fields), nodes)
    return placement.cpus, placement.gpus, placement.slots(nodes)


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [
        (1, 0, (1, 0, 1)),
        (2, 0, (1, 0, 2)),
        (8, 0, (1, 0, 8)),
        (16, 0, (2, 0, 8)),
        (64, 0, (8, 0, 8)),
        (8, 1, (4, 1, 1)),
        (8, 4, (2, 1, 4)),
        (64, 4, (4, 1, 4)),
        (2, 4, (1, 1, 2)),  # GPUs without a core to feed them stay idle
    ],
)
def test_by_default_a_trial_has_a_gpu_or_else_a_group_of_cores(
    cpus: float, gpus: float, expected: tuple[float, float, int]
) -> None:
    assert planned(cpus, gpus) == expected


@pytest.mark.parametrize(
    ("share", "gpus", "slots"),
    [
        (0.5, 4, 8),
        (0.5, 1, 2),
        (0.4, 4, 8),
        (0.4, 1, 2),
        (0.3, 2, 6),
        (1 / 3, 2, 6),
        (0.1, 1, 10),
        (0.7, 4, 4),
        (1, 4, 4),
    ],
)
def test_a_share_of_a_gpu_lies_on_one_card(share: float, gpus: int, slots: int) -> None:
    assert planned(64, gpus, gpus_per_trial=share)[2] == slots


def test_gpus_can_be_left_alone() -> None:
    assert planned(16, 4, gpus_per_trial=0) == (2, 0, 8)


def test_cores_limit_trials_on_gpus_too() -> None:
    assert planned(4, 4, cpus_per_trial=2) == (2, 1, 2)
    assert planned(4, 4, cpus_per_trial=0.5, gpus_per_trial=0.25) == (0.5, 0.25, 8)


def test_concurrency_is_a_limit_of_its_own() -> None:
    assert planned(8, 0, concurrency=3)[2] == 3
    assert Placement(1, 0, 3).slots([Node(2, 0)]) == 2, "and not a promise while a node is away"


def test_one_trial_waits_for_its_node_when_nothing_fits() -> None:
    assert Placement(4, 1, None).slots([]) == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cpus_per_trial": 8}, "`cpus_per_trial=8`: there are 4 CPU cores"),
        ({"concurrency": 2}, "`concurrency=2`: only 1 at a time fit, with 4 CPU and 1 GPU"),
        (
            {"concurrency": 5, "gpus_per_trial": 0},
            "`concurrency=5`: only 4 at a time fit, with 1 CPU",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_there_is(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        plan_placement(sweep_config(**fields), [Node(4, 1)])


def test_more_than_one_gpu_a_trial_is_refused_in_a_sweep_of_an_earlier_version_too() -> None:
    stored = sweep_config().model_copy(update={"gpus_per_trial": 2.0})
    with pytest.raises(UserError, match="`gpus_per_trial=2`: a trial trains on one device"):
        plan_placement(stored, [Node(8, 8)])


def test_a_share_of_a_gpu_is_refused_where_there_is_none() -> None:
    with pytest.raises(UserError, match=r"`gpus_per_trial=0\.5`: there are 0 GPUs"):
        plan_placement(sweep_config(gpus_per_trial=0.5), [Node(4, 0)])


def test_a_cluster_may_grow_to_the_concurrency_that_was_asked_for() -> None:
    one, grown = [Node(4, 0)], [Node(4, 0)] * 16
    placement = plan_placement(sweep_config(concurrency=8, ray_address="auto"), one)
    assert (placement.slots(one), placement.slots(grown)) == (4, 8)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([Node(4, 0)] * 10, (4, 0, 10)),  # an eighth of all cores would be five, which no node has
        ([Node(16, 0), Node(4, 0)], (2, 0, 10)),
        ([Node(0, 0), Node(8, 0), Node(8, 0)], (2, 0, 8)),  # a head that only leads
        ([Node(8, 1), Node(8, 4)], (2, 1, 5)),
        ([Node(64, 0), Node(4, 2)], (2, 1, 2)),  # cores of a node without GPUs feed none
    ],
)
def test_a_trial_runs_on_one_node(nodes: list[Node], expected: tuple[float, float, int]) -> None:
    assert planned_on(nodes, ray_address="auto") == expected


@pytest.mark.parametrize(
    ("nodes", "fields", "why"),
    [
        ([Node(4, 0)] * 3, {"cpus_per_trial": 6}, "there are 12 CPU cores, 4 on one node at most"),
        ([Node(16, 0), Node(2, 1)], {"cpus_per_trial": 8}, "8 CPU and 1 GPU a trial: no node has both"),
    ],
)
def test_what_no_node_holds_is_refused_though_all_together_do(
    nodes: list[Node], fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        plan_placement(sweep_config(ray_address="auto", **fields), nodes)


amounts = st.none() | st.floats(0.05, 1.0) | st.integers(1, 8).map(float)


nodes_of_a_cluster = st.lists(
    st.builds(Node, st.integers(1, 128).map(float), st.integers(0, 16).map(float)), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=300)
@given(
    nodes=nodes_of_a_cluster,
    cpus=amounts,
    gpus=st.none() | st.just(0.0) | st.floats(0.05, 1.0),
    concurrency=st.none() | st.integers(1, 32),
)
def test_what_runs_at_once_always_fits(
    nodes: list[Node], cpus: float | None, gpus: float | None, concurrency: int | None
) -> None:
    config = sweep_config(cpus_per_trial=cpus, gpus_per_trial=gpus, concurrency=concurrency)
    try:
        placement = plan_placement(config, nodes)
    except UserError:
        assume(False)
    slots = placement.slots(nodes)
    assert slots >= 1
    assert concurrency is None or slots == concurrency or (len(nodes) > 1 and slots < concurrency)
    for node in nodes:
        on_node = placement.fits([node])
        assert on_node * placement.cpus <= node.cpus + 1e-6
        if placement.gpus > 0:  # each card is filled by itself
            assert math.ceil(on_node / max(1, node.gpus)) * placement.gpus <= 1 + 1e-6
            assert node.gpus or not on_node
    assert cpus is None or placement.cpus == cpus
    assert gpus is None or placement.gpus == gpus


@settings(deadline=None, max_examples=100)
@given(total_cpus=st.integers(1, 256), total_gpus=st.integers(0, 16))
def test_without_wishes_every_machine_can_run_a_sweep(total_cpus: int, total_gpus: int) -> None:
    machine = [Node(total_cpus, total_gpus)]
    placement = plan_placement(sweep_config(), machine)
    slots = placement.slots(machine)
    assert slots == min(total_gpus, total_cpus) if total_gpus else 1 <= slots <= 15
    assert placement.cpus == int(placement.cpus)


@settings(deadline=None, max_examples=200)
@given(nodes=nodes_of_a_cluster)
def test_without_wishes_every_cluster_can_run_a_sweep(nodes: list[Node]) -> None:
    placement = plan_placement(sweep_config(ray_address="auto"), nodes)
    assert placement.fits(nodes) >= 1


def test_a_cluster_that_the_caller_has_joined_may_grow_as_one_of_an_address() -> None:
    two = [Node(2, 0), Node(2, 0)]
    assert on_cluster(sweep_config(), two)
    assert on_cluster(sweep_config(ray_address="auto"), two[:1])
    assert not on_cluster(sweep_config(), two[:1])
    assert planned_on(two, concurrency=9) == (1, 0, 4)
    with pytest.raises(UserError, match="`concurrency=9`: only 2 at a time fit"):
        planned_on(two[:1], concurrency=9)
