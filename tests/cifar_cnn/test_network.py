"""The network: shapes over depths and widths, probabilities, and what its training needs of memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cifar_cnn.config import MAX_DEPTH, TrainConfig
from cifar_cnn.model import CifarCNN, block_widths, estimate_memory_bytes


def config(**changes: int | float | str) -> TrainConfig:
    return TrainConfig(**{"width": 4, "head_width": 8, **changes})


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH + 1))
@pytest.mark.parametrize("width", [4, 12])
def test_logits_for_every_depth_and_width(depth: int, width: int) -> None:
    model = CifarCNN(config(depth=depth, width=width), num_classes=7)
    images = torch.zeros(3, 3, 32, 32)
    assert model(images).shape == (3, 7)
    side = 32 >> depth
    assert model.blocks(images).shape == (3, width * 2 ** (depth - 1), side, side)


def test_a_depth_without_a_map_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth\n.*less than or equal to 5"):
        config(depth=MAX_DEPTH + 1)


def test_width_doubles_by_block() -> None:
    assert block_widths(config(depth=4, width=6)) == [6, 12, 24, 48]


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(4, 16), st.integers(2, 12))
def test_probabilities_sum_to_one(depth: int, width: int, classes: int) -> None:
    model = CifarCNN(config(depth=depth, width=width, dropout=0.5), classes).eval()
    with torch.no_grad():
        probabilities = model.probabilities(torch.randn(4, 3, 32, 32))
    assert probabilities.shape == (4, classes)
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))
    assert bool((probabilities >= 0).all())


def test_eval_mode_judges_each_image_alone() -> None:
    model = CifarCNN(config(dropout=0.5), 10).eval()
    images = torch.randn(5, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.probabilities(images)[2:3], model.probabilities(images[2:3]))


@pytest.mark.parametrize("depth", [1, 3, 5])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_memory_estimate_is_close_to_what_is_held(depth: int, optimizer: str) -> None:
    chosen = config(depth=depth, width=16, head_width=64, batch_size=32, optimizer=optimizer)
    model = CifarCNN(chosen, 10)
    images = torch.randn(32, 3, 32, 32)
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = functional.cross_entropy(model(images), torch.zeros(32, dtype=torch.long))
    weight_bytes = sum(4 * parameter.numel() for parameter in model.parameters())
    held = sum(kept.values()) + weight_bytes * (4 if optimizer == "adamw" else 3)
    assert loss.isfinite()
    # The estimate also counts gradients in flight, which no hook sees.
    assert held <= estimate_memory_bytes(chosen, 10) <= 2 * held


def test_largest_network_is_estimated_without_being_built() -> None:
    largest = config(depth=5, width=512, head_width=8192, batch_size=4096, optimizer="adamw")
    assert estimate_memory_bytes(largest, 1000) > 50 * 2**30
