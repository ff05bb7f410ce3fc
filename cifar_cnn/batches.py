"""Batches cut from whole arrays: one gather each, wherever the arrays lie."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from cifar_cnn.augment import (
    Augmentation,
    Normalise,
    alternating_sides,
    draw_moves,
    shift_and_flip,
)
from cifar_cnn.seeds import derive_seed

Batch: TypeAlias = tuple[Tensor, Tensor]
"""Normalised images float32 (B, 3, 32, 32) and labels int64 (B,)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batches:
    """A split cut into batches of nearly equal size, in order; iterating again starts anew.

    Nearly equal, so that every image counts and none makes a batch of its own, which batch
    normalisation could not bear.

    Attributes:
        images: uint8 (N, 32, 32, 3).
        labels: int64 (N,).
        positions: int64 (M,), which of them make up the split.
        batch_size: most images per batch.
        normalise: makes pixels into what a model expects.

    Example:
        >>> batches = Batches(
        ...     images=torch.zeros(10, 32, 32, 3, dtype=torch.uint8),
        ...     labels=torch.arange(10),
        ...     positions=torch.arange(10),
        ...     batch_size=4,
        ...     normalise=Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), torch.device("cpu")),
        ... )
        >>> [labels.tolist() for _, labels in batches]
        [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    """

    images: Tensor
    labels: Tensor
    positions: Tensor
    batch_size: int
    normalise: Normalise

    def __len__(self) -> int:
        return math.ceil(len(self.positions) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for chosen in self.positions.tensor_split(len(self)):
            yield self.normalise(self.images.index_select(0, chosen)), self.labels.index_select(0, chosen)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainBatches(Batches):
    """Shuffled and augmented batches: others in every epoch, the same again for the same epoch.

    Attributes:
        seed: with the epoch it decides order and augmentation.
        augmentation: what happens to the images.
        flips: whether images may be mirrored.
        epoch: tells the current epoch, from 0; asked when iteration begins.
        one_size: whether all batches have `batch_size` images, and the rest waits for another epoch.

    Example:
        >>> batches = TrainBatches(
        ...     images=torch.zeros(10, 32, 32, 3, dtype=torch.uint8),
        ...     labels=torch.arange(10),
        ...     positions=torch.arange(10),
        ...     batch_size=4,
        ...     normalise=Normalise((0.5, 0.5, 0.5), (0.25, 0.25, 0.25), torch.device("cpu")),
        ...     seed=0,
        ...     augmentation=Augmentation(1.0),
        ...     flips=True,
        ...     epoch=lambda: 0,
        ... )
        >>> first, again = ([label for _, labels in batches for label in labels.tolist()] for _ in range(2))
        >>> first == again, sorted(first) == first
        (True, False)
    """

    seed: int
    augmentation: Augmentation
    flips: bool
    epoch: Callable[[], int]
    one_size: bool = False

    def __len__(self) -> int:
        return len(self.positions) // self._size if self.one_size else super().__len__()

    @property
    def _size(self) -> int:
        return min(self.batch_size, len(self.positions))

    def __iter__(self) -> Iterator[Batch]:
        count, device, epoch = len(self.positions), self.positions.device, self.epoch()
        generator = torch.Generator().manual_seed(derive_seed("order", self.seed, epoch))
        # Drawn for the whole epoch at once and sent to the device once: nothing waits at each step.
        order = torch.randperm(count, generator=generator)
        moves = draw_moves(count, self.augmentation.strength, self.flips, generator)
        if self.flips and self.augmentation.flip == "alternating":
            always = torch.Generator().manual_seed(derive_seed("sides", self.seed))
            moves[:, 2] = alternating_sides(count, epoch, always)[order]
        moving = bool(moves.any())
        positions = self.positions[order.to(device)]
        kept = len(self) * self._size if self.one_size else count
        parts = (each[:kept].tensor_split(len(self)) for each in (positions, moves.to(device)))
        for chosen, moved in zip(*parts, strict=True):
            images = self.images.index_select(0, chosen)
            if moving:
                images = shift_and_flip(images, moved)
            yield self.normalise(images), self.labels.index_select(0, chosen)
