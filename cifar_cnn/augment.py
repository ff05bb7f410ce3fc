"""Random shift, mirror and normalisation of whole batches, on whatever device they lie."""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from cifar_cnn.config import IMAGE_SIZE, TrainConfig
from cifar_cnn.prepare import Triple

FULL_SHIFT = 4
"""Pixels an image moves at most at strength 1: the padding of the usual CIFAR recipe."""


@dataclass(frozen=True)
class Augmentation:
    """What happens to training images; each field as in `TrainConfig`.

    Attributes:
        strength: 0 to 1.
        flip: how images are mirrored.

    Example:
        >>> Augmentation.of(TrainConfig(augmentation=0.5))
        Augmentation(strength=0.5, flip='random')
    """

    strength: float = 0.0
    flip: Literal["random", "alternating"] = "random"

    @classmethod
    def of(cls, config: TrainConfig) -> Self:
        """That of a training."""
        return cls(config.augmentation, config.flip)


NO_AUGMENTATION = Augmentation()
"""Images as they are."""


def draw_moves(count: int, strength: float, flips: bool, generator: torch.Generator) -> Tensor:
    """Draws what is to happen to each image, on the CPU, so that every device trains on the same images.

    Args:
        count: number of images.
        strength: 0 to 1; shifts reach round(4 * strength) pixels, mirroring has probability strength / 2.
        flips: whether mirroring leaves the class alone. It does for photographs; a mirrored digit is none.
        generator: decides everything.

    Returns:
        int64 (count, 3): rows down, columns right, 1 to mirror or 0.
    """
    reach = round(FULL_SHIFT * strength)
    shifts = torch.randint(-reach, reach + 1, (count, 2), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < (strength / 2 if flips else 0.0)
    return torch.cat([shifts, mirrored.long()], dim=1)


def alternating_sides(count: int, epoch: int, generator: torch.Generator) -> Tensor:
    """Which images of a training set are mirrored in an epoch: in the next one it is the others.

    As in Jordan, "94% on CIFAR-10 in 3.29 seconds" (arXiv:2404.00498).

    Args:
        count: images of the set.
        epoch: from 0.
        generator: the same in every epoch; decides which are mirrored in the first one.

    Returns:
        int64 (count,): 1 mirrored, 0 as it is.
    """
    return (torch.randint(2, (count,), generator=generator) + epoch) % 2


def shift_and_flip(images: Tensor, moves: Tensor) -> Tensor:
    """Shifts, then mirrors, each image of a batch; what moves in from outside is the image reflected.

    Equals padding by reflection, cropping and flipping, but as one gather: every target pixel is
    looked up in its source.

    Args:
        images: uint8 (B, 32, 32, 3).
        moves: int64 (B, 3) as from `draw_moves`, on the same device.

    Returns:
        uint8 (B, 32, 32, 3).
    """
    grid = torch.arange(IMAGE_SIZE, device=images.device)
    down, right, mirrored = (column.unsqueeze(1) for column in moves.unbind(1))
    rows = _reflect(grid - down)
    columns = _reflect(torch.where(mirrored.bool(), grid.flip(0), grid) - right)
    first = torch.arange(len(images), device=images.device)[:, None, None] * IMAGE_SIZE**2
    pixels = first + rows[:, :, None] * IMAGE_SIZE + columns[:, None, :]
    return images.reshape(-1, 3).index_select(0, pixels.flatten()).view_as(images)


def _reflect(position: Tensor) -> Tensor:
    last = IMAGE_SIZE - 1
    return last - (last - position.abs()).abs()


class Normalise:
    """Scales pixels to mean 0 and deviation 1 in each channel.

    Args:
        mean, std: of red, green, blue, on the scale 0 to 1.
        device: where the images lie.

    Example:
        >>> normalise = Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), torch.device("cpu"))
        >>> white = torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)
        >>> normalise(white).shape, round(normalise(white).max().item(), 3)
        (torch.Size([1, 3, 32, 32]), 2.0)
    """

    def __init__(self, mean: Triple, std: Triple, device: torch.device) -> None:
        # For whole images as rows: broadcasting over a last dimension of 3 takes a CPU ten times as long.
        scale = torch.tensor([1 / (255 * deviation) for deviation in std])
        offset = torch.tensor([-m / d for m, d in zip(mean, std, strict=True)])
        self._scale = scale.repeat(IMAGE_SIZE**2).to(device)
        self._offset = offset.repeat(IMAGE_SIZE**2).to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """Images uint8 (B, 32, 32, 3) -> float32 (B, 3, 32, 32) in channels-last memory, as pixels lie."""
        scaled = torch.addcmul(self._offset, images.flatten(1).float(), self._scale)
        return scaled.view_as(images).permute(0, 3, 1, 2)
