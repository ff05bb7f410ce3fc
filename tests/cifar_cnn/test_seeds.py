"""Seeds: none shared by two purposes, the same again for the same run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainings import fit

from cifar_cnn import batches
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.seeds import derive_seed
from search.training import manners

whole = st.integers(-(2**70), 2**70)
purposes = st.sampled_from(["order", "weights"]) | whole


def test_seeds_do_not_meet() -> None:
    seeds = {derive_seed(seed, epoch) for seed in range(50) for epoch in range(50)}
    assert len(seeds) == 2500
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, 2) == derive_seed(1, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((5,), (5, 0)),
        ((5, 0), (5, 0, 0)),
        ((0,), (0, 0)),
        ((2**32,), (0, 1)),
        ((2**32 + 7, 3), (7, 1, 3)),
        ((-1,), (1,)),
        ((-1,), (2**64 - 1,)),
        ((12, 3), (1, 23)),
        (("weights", 5), ("order", 5)),
        (("5",), (5,)),
    ],
)
def test_what_is_written_differently_is_seeded_differently(one: tuple[int], other: tuple[int]) -> None:
    assert derive_seed(*one) != derive_seed(*other)


@given(purposes, st.lists(whole, max_size=4), purposes, st.lists(whole, max_size=4))
def test_seeds_are_equal_only_for_equals(
    purpose: str | int, parts: list[int], other: str | int, others: list[int]
) -> None:
    same = (purpose, *parts) == (other, *others)
    assert (derive_seed(purpose, *parts) == derive_seed(other, *others)) == same


def test_numbers_of_numpy_are_numbers_and_fractions_are_refused() -> None:
    assert derive_seed("order", np.int64(5)) == derive_seed("order", 5)
    with pytest.raises(TypeError):
        derive_seed("order", 5.0)  # type: ignore[arg-type]


def test_no_two_purposes_of_a_run_share_a_seed(
    few_digits: DataConfig, tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def recorded(*parts: str | int) -> int:
        drawn.append(derive_seed(*parts))  # type: ignore[arg-type]
        return drawn[-1]

    for room in (batches, manners):
        monkeypatch.setattr(room, "derive_seed", recorded)
    fit(tiny.model_copy(update={"seed": 0}), few_digits)
    # One for the weights, and of each epoch one for its order, one for loaders and one for its dropout.
    assert len(set(drawn)) == len(drawn) == 1 + 3 * tiny.max_epochs
