"""Images spoilt in ways that photographs are, to see what a model makes of them.

A few of the kinds of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions
and Perturbations" (arXiv:1903.12261), with strengths of our own: figures do not compare with CIFAR-10-C.
"""

import io
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional

from cifar_cnn.predict import Change

STRENGTHS = (1, 2, 3)
"""Mild, clear and strong."""


def corruptions() -> dict[str, dict[int, Change]]:
    """What can be done to images, by name and strength; the same every time, and of noise for every seed."""
    kinds = {
        "noise": (_noise, (10.0, 20.0, 40.0)),
        "blur": (_blur, (0.5, 1.0, 1.5)),
        "dark": (_brightness, (0.7, 0.5, 0.3)),
        "contrast": (_contrast, (0.7, 0.5, 0.3)),
        "pixelate": (_pixelate, (24.0, 16.0, 12.0)),
        "jpeg": (_jpeg, (50.0, 25.0, 10.0)),
    }
    return {
        name: {
            strength: partial(spoil, amount=amount)
            for strength, amount in zip(STRENGTHS, amounts, strict=True)
        }
        for name, (spoil, amounts) in kinds.items()
    }


def _noise(images: Tensor, seed: int, amount: float) -> Tensor:
    """Gaussian noise of this deviation, in grey levels."""
    noise = amount * torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images.float() + noise).round().clamp(0, 255).byte()


def _blur(images: Tensor, _seed: int, amount: float) -> Tensor:
    """Gaussian blur of this deviation, in pixels."""
    return _channels_last(functional.gaussian_blur(_channels_first(images), [7, 7], [amount, amount]))


def _brightness(images: Tensor, _seed: int, amount: float) -> Tensor:
    return _channels_last(functional.adjust_brightness(_channels_first(images), amount))


def _contrast(images: Tensor, _seed: int, amount: float) -> Tensor:
    return _channels_last(functional.adjust_contrast(_channels_first(images), amount))


def _pixelate(images: Tensor, _seed: int, amount: float) -> Tensor:
    """Scaled down to this many pixels a side, and up again."""
    small = functional.resize(_channels_first(images), [int(amount)] * 2, antialias=True)
    large = functional.resize(small, list(images.shape[1:3]), functional.InterpolationMode.NEAREST)
    return _channels_last(large)


def _jpeg(images: Tensor, _seed: int, amount: float) -> Tensor:
    """Compressed at this quality of 100."""
    spoilt = []
    for image in images.numpy():
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=int(amount))
        spoilt.append(np.asarray(Image.open(buffer)))
    return torch.from_numpy(np.stack(spoilt))


def _channels_first(images: Tensor) -> Tensor:
    return images.permute(0, 3, 1, 2)


def _channels_last(images: Tensor) -> Tensor:
    return images.permute(0, 2, 3, 1).contiguous()
