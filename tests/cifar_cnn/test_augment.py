"""The vectorised augmentation against one written out image by image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cifar_cnn.augment import (
    FULL_SHIFT,
    Normalise,
    alternating_sides,
    draw_moves,
    shift_and_flip,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def naive(image: np.ndarray, down: int, right: int, mirrored: int) -> np.ndarray:
    """Pad by reflection, crop, mirror: one image, as a textbook has it."""
    pad = FULL_SHIFT
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    cropped = padded[pad - down : pad - down + 32, pad - right : pad - right + 32]
    return cropped[:, ::-1] if mirrored else cropped


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 9), st.floats(0, 1), st.booleans())
def test_equals_the_naive_way(seed: int, count: int, strength: float, flips: bool) -> None:
    images = torch.randint(0, 256, (count, 32, 32, 3), dtype=torch.uint8, generator=generator(seed))
    moves = draw_moves(count, strength, flips, generator(seed))
    moved = shift_and_flip(images, moves)
    for image, move, result in zip(images.numpy(), moves.tolist(), moved.numpy(), strict=True):
        assert np.array_equal(naive(image, *move), result)


@given(st.floats(0, 1))
def test_strength_bounds_the_shift(strength: float) -> None:
    moves = draw_moves(500, strength, True, generator())
    assert moves[:, :2].abs().max() == round(FULL_SHIFT * strength)


def test_full_strength_is_uniform_and_mirrors_half() -> None:
    moves = draw_moves(20_000, 1.0, True, generator())
    for column in (0, 1):
        counts = torch.bincount(moves[:, column] + FULL_SHIFT, minlength=9)
        assert counts.min() > 20_000 / 9 * 0.9
    assert moves[:, 2].float().mean() == pytest.approx(0.5, abs=0.02)


def test_no_flips_where_a_mirror_image_is_another_thing() -> None:
    assert draw_moves(1000, 1.0, False, generator())[:, 2].sum() == 0


def test_normalises_each_channel() -> None:
    images = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8, generator=generator())
    mean, std = (0.1, 0.4, 0.7), (0.2, 0.3, 0.5)
    normalised = Normalise(mean, std, torch.device("cpu"))(images)
    expected = (images.double() / 255 - torch.tensor(mean)) / torch.tensor(std)
    torch.testing.assert_close(normalised, expected.permute(0, 3, 1, 2).float(), rtol=1e-5, atol=1e-5)
    assert normalised.is_contiguous(memory_format=torch.channels_last)


def test_sides_alternate_and_half_begin_mirrored() -> None:
    first, second, third = (alternating_sides(2000, epoch, generator()) for epoch in range(3))
    assert torch.equal(first + second, torch.ones(2000, dtype=torch.long))
    assert torch.equal(first, third)
    assert first.float().mean() == pytest.approx(0.5, abs=0.05)
