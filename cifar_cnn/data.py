"""The data as Lightning wants them: one data module over all data sets, batches cut from whole arrays."""

import math
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import pytorch_lightning as pl
import torch
from torch import Tensor

from cifar_cnn.augment import Normalise, draw_moves, shift_and_flip
from cifar_cnn.config import DataConfig
from cifar_cnn.prepare import DataInfo, Split, open_data, prepare_data
from cifar_cnn.seeds import derive_seed

__all__ = ["DataInfo", "ImageDataModule", "TrainOn", "prepare_data"]

TrainOn: TypeAlias = Literal["train", "train+val"]
Batch: TypeAlias = tuple[Tensor, Tensor]
"""Normalised images float32 (B, 3, 32, 32) and labels int64 (B,)."""

EVAL_BATCH_SIZE = 512
"""Images per step without gradients: large enough for any device, small enough for any memory."""


class ImageDataModule(pl.LightningDataModule):
    """Batches of a data set, ready for a model: on the training device, augmented and normalised.

    No image is touched by Python on its own: a batch is one gather from the decoded arrays, which are
    memory-mapped on a CPU and lie in the memory of a GPU. The order of batches and the augmentation
    follow from (seed, epoch) alone, so a resumed run sees the batches of the uninterrupted one.

    Args:
        config: the data set.
        batch_size: most images per training batch; an epoch is cut into batches of nearly equal size, so
            that every image counts and none makes a batch of its own.
        seed: seed of order and augmentation.
        train_on: 'train+val' trains on both splits together; there is then nothing to validate on.
        augmentation: strength from 0 (none) to 1; see `TrainConfig.augmentation`.

    Raises:
        DataError: as `prepare_data`.
    """

    def __init__(
        self,
        config: DataConfig,
        batch_size: int,
        seed: int,
        train_on: TrainOn = "train",
        augmentation: float = 0.0,
    ) -> None:
        super().__init__()
        self.config = config
        self.batch_size = batch_size
        self.seed = seed
        self.train_on = train_on
        self.augmentation = augmentation
        self._data = open_data(config)
        self._on_device: dict[str, Tensor] = {}

    @property
    def info(self) -> DataInfo:
        """What the data set holds."""
        return self._data.info

    def train_dataloader(self) -> "TrainBatches":
        """Shuffled and augmented batches of the training split, or of training and validation."""
        batches = self._batches("train", self.batch_size)
        if self.train_on == "train+val":
            validation = self._batches("val", self.batch_size)
            batches.positions = torch.cat([batches.positions, validation.positions])
        # Mirroring turns a digit into another sign, but leaves what photographs show.
        flips = self.config.dataset != "digits"
        return TrainBatches(batches, self.seed, self.augmentation, flips, self._epoch)

    def val_dataloader(self) -> "SplitBatches":
        """The validation split in order, as it is."""
        return self._batches("val", EVAL_BATCH_SIZE)

    def test_dataloader(self) -> "SplitBatches":
        """The test split in order, as it is. Nothing else opens it."""
        return self._batches("test", EVAL_BATCH_SIZE)

    def plain_train_dataloader(self) -> "SplitBatches":
        """The training split in order and not augmented, for evaluation."""
        return self._batches("train", EVAL_BATCH_SIZE)

    def release(self) -> None:
        """Frees the device's memory. Lightning's own `teardown` hook is skipped when training raises."""
        self._on_device.clear()

    def _epoch(self) -> int:
        return self.trainer.current_epoch if self.trainer else 0

    def _device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def _batches(self, split: Split, batch_size: int) -> "SplitBatches":
        images, labels, positions = self._data.arrays(split)
        kept = torch.arange(len(labels)) if positions is None else torch.from_numpy(positions)
        part = "test" if split == "test" else "train"  # validation is cut from train: one copy holds both
        if part not in self._on_device:
            self._on_device[part] = torch.from_numpy(images).to(self._device())
        device = self._device()
        return SplitBatches(
            self._on_device[part],
            torch.from_numpy(labels).to(device),
            kept.to(device),
            batch_size,
            self.info,
        )


class WholeEpochs(ImageDataModule):
    """The same data, with every epoch handed to Lightning as a single step: an iterable of its batches.

    Lightning's loop costs about 0.3 ms each time it goes round, a tenth of what a small network's step
    takes. This way it goes round once an epoch, and `CifarModule` takes the steps itself.
    """

    def train_dataloader(self) -> "OneStep":
        """One step: all training batches."""
        return OneStep(super().train_dataloader())

    def val_dataloader(self) -> "OneStep":
        """One step: all validation batches."""
        return OneStep(super().val_dataloader())


class OneStep:
    """A loader of a single item: the batches it was given, to be iterated over."""

    def __init__(self, batches: "SplitBatches | TrainBatches") -> None:
        self._batches = batches

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator["SplitBatches | TrainBatches"]:
        yield self._batches


class SplitBatches:
    """A split cut into batches of nearly equal size, in order.

    Args:
        images: uint8 (N, 32, 32, 3).
        labels: int64 (N,).
        positions: int64 (M,), which of them make up the split.
        batch_size: most images per batch.
        info: gives mean and deviation.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, positions: Tensor, batch_size: int, info: DataInfo
    ) -> None:
        self.images, self.labels, self.positions = images, labels, positions
        self.batch_size = batch_size
        self.normalise = Normalise(info.mean, info.std, images.device)

    def __len__(self) -> int:
        return math.ceil(len(self.positions) / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for chosen in self.positions.tensor_split(len(self)):
            yield self.finish(self.images.index_select(0, chosen), chosen)

    def finish(self, images: Tensor, chosen: Tensor) -> Batch:
        """A batch of these images, normalised, with the labels of the chosen positions."""
        return self.normalise(images), self.labels.index_select(0, chosen)


class TrainBatches:
    """Training batches: another order and other moves in every epoch, the same again for the same epoch.

    Args:
        batches: what to shuffle and augment.
        seed: with the epoch it decides everything.
        augmentation: strength, 0 to 1.
        flips: whether images may be mirrored.
        epoch: tells the current epoch, from 0; asked when iteration begins.
    """

    def __init__(
        self, batches: SplitBatches, seed: int, augmentation: float, flips: bool, epoch: Callable[[], int]
    ) -> None:
        self.batches = batches
        self.seed = seed
        self.augmentation = augmentation
        self.flips = flips
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        positions = self.batches.positions
        generator = torch.Generator().manual_seed(derive_seed(self.seed, self.epoch()))
        # Drawn for the whole epoch at once and sent to the device once: nothing waits at each step.
        order = torch.randperm(len(positions), generator=generator).to(positions.device)
        moves = draw_moves(len(positions), self.augmentation, self.flips, generator).to(positions.device)
        shuffled = positions[order]
        for chosen, moved in zip(
            shuffled.tensor_split(len(self)), moves.tensor_split(len(self)), strict=True
        ):
            images = self.batches.images.index_select(0, chosen)
            if self.augmentation:
                images = shift_and_flip(images, moved)
            yield self.batches.finish(images, chosen)
