"""Stratified splits: proportions, disjointness, and the same ones again for the same seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cifar_cnn.splits import digest, quotas, split_train_val, stratified_draw, subset

label_lists = st.lists(st.integers(0, 6), min_size=5, max_size=200).map(np.array)
seeds = st.integers(0, 2**32)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any), st.floats(0, 1))
def test_quotas_are_proportional_within_one(counts: list[int], share: float) -> None:
    size = int(share * sum(counts))
    drawn = quotas(np.array(counts), size)
    assert drawn.sum() == size
    assert np.all(np.abs(drawn - np.array(counts) * size / sum(counts)) < 1)
    assert np.all((drawn >= 0) & (drawn <= counts))


@given(label_lists, seeds)
def test_split_is_a_partition_and_repeats(labels: np.ndarray, seed: int) -> None:
    train, val = split_train_val(labels, seed)
    assert sorted([*train, *val]) == list(range(len(labels)))
    assert len(val) == round(len(labels) / 5)
    again = split_train_val(labels, seed)
    assert digest(train, val) == digest(*again)


@given(label_lists, seeds, st.data())
def test_larger_draw_keeps_the_proportions_of_a_smaller(
    labels: np.ndarray, seed: int, data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(labels)))
    drawn = stratified_draw(labels, size, (seed,))
    assert len(set(drawn)) == size
    counts = np.bincount(labels)
    assert np.array_equal(np.bincount(labels[drawn], minlength=len(counts)), quotas(counts, size))


def test_another_seed_is_another_split() -> None:
    labels = np.arange(1000) % 10
    assert digest(*split_train_val(labels, 0)) != digest(*split_train_val(labels, 1))


def test_subset_of_all_is_all() -> None:
    labels = np.arange(50) % 5
    train, _ = split_train_val(labels, 0)
    assert subset(train, labels, None, (0,)) is train
    assert set(subset(train, labels, 10, (0,))) < set(train)


def test_digest_tells_parts_apart() -> None:
    one, two = np.array([1, 2]), np.array([3])
    assert digest(one, two) != digest(np.array([1]), np.array([2, 3]))
