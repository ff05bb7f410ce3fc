"""The network: shapes over depths and widths, probabilities, and what its training needs of memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cifar_cnn.cnn import block_widths
from cifar_cnn.config import MAX_DEPTH, TrainConfig
from cifar_cnn.model import estimate_memory_bytes, make_model
from cifar_cnn.whitening import Whitening


def config(**changes: int | float | str) -> TrainConfig:
    return TrainConfig(**{"width": 4, "head_width": 8, **changes})


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH + 1))
@pytest.mark.parametrize("width", [4, 12])
def test_logits_for_every_depth_and_width(depth: int, width: int) -> None:
    model = make_model(config(depth=depth, width=width), num_classes=7)
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
    model = make_model(config(depth=depth, width=width, dropout=0.5), classes).eval()
    with torch.no_grad():
        probabilities = model.probabilities(torch.randn(4, 3, 32, 32))
    assert probabilities.shape == (4, classes)
    assert probabilities.dtype == torch.float32
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))
    assert bool((probabilities >= 0).all())


def test_eval_mode_judges_each_image_alone() -> None:
    model = make_model(config(dropout=0.5), 10).eval()
    images = torch.randn(5, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.probabilities(images)[2:3], model.probabilities(images[2:3]))


ALL_ELSE = {
    "widening": "early",
    "convolutions": 3,
    "whitening": True,
    "activation": "gelu",
    "head": "pooled",
}


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH))
@pytest.mark.parametrize("head", ["hidden", "pooled"])
def test_whatever_a_network_is_made_of_fits_together(depth: int, head: str) -> None:
    model = make_model(config(**{**ALL_ELSE, "depth": depth, "head": head}), num_classes=7)
    images = torch.randn(3, 3, 32, 32)
    model.fit_whitening(images)
    assert model(images).shape == (3, 7)
    assert block_widths(config(widening="early", depth=4)) == [4, 16, 16, 16]


def test_whitening_leaves_no_room_for_a_fifth_block() -> None:
    with pytest.raises(ValueError, match=r"depth=5 leaves no map behind whitening.*depth of at most 4"):
        config(whitening=True, depth=MAX_DEPTH)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_resnet_has_four_stages_and_a_small_stem(depth: int) -> None:
    model = make_model(TrainConfig(network="resnet", depth=depth, width=64), num_classes=7)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    weighted = sum(parameter.ndim > 1 for parameter in model.parameters())
    assert weighted == 1 + 4 * 2 * depth + 3 + 1, "stem, blocks, three shortcuts, last layer"


def test_a_resnet_is_as_wide_as_torchvisions() -> None:
    with pytest.raises(ValueError, match="width=32: a 'resnet' is 64 wide; set width=64"):
        TrainConfig(network="resnet")


def test_a_mirrored_model_judges_an_image_and_its_mirror_image_alike() -> None:
    model = make_model(config(mirrored=True), 10).eval()
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model(images), model(images.flip(3)))
        assert not torch.allclose(model.train()(images), model(images.flip(3)))


def test_the_last_layer_of_a_trained_model_is_exact_under_autocast() -> None:
    model = make_model(config(), 10).eval()
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert model(images).dtype == torch.float32
        assert model.train()(images).dtype == torch.bfloat16


def test_whitened_patches_are_independent() -> None:
    smooth = functional.avg_pool2d(torch.randn(200, 3, 66, 66), 3, stride=2)[:, :, :32, :32] * 5
    layer = Whitening()
    layer.fit(smooth)
    assert not layer.weight.requires_grad
    outputs = layer(smooth).detach().transpose(0, 1).flatten(1)
    torch.testing.assert_close(outputs[:12], -outputs[12:])
    covariance = outputs[:12] @ outputs[:12].T / outputs.shape[1]
    torch.testing.assert_close(covariance, torch.eye(12), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    "changes",
    [{}, {"optimizer": "adamw"}, ALL_ELSE, {"network": "resnet", "width": 64, "depth": 1}],
    ids=["plain", "adamw", "all else", "resnet"],
)
def test_memory_of_all_kinds_is_estimated(changes: dict[str, int | float | str]) -> None:
    small, large = (estimate_memory_bytes(config(**{**changes, "batch_size": n}), 10) for n in (32, 64))
    assert 0 < small < large < 2 * small


@pytest.mark.parametrize("depth", [1, 3, 5])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_memory_estimate_is_close_to_what_is_held(depth: int, optimizer: str) -> None:
    chosen = config(depth=depth, width=16, head_width=64, batch_size=32, optimizer=optimizer)
    model = make_model(chosen, 10)
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
