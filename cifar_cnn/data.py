"""The data as Lightning wants them: one data module over all data sets."""

from typing import Any, Literal, TypeAlias

import pytorch_lightning as pl
import torch
from torch import Tensor

from cifar_cnn.augment import NO_AUGMENTATION, Augmentation, Normalise
from cifar_cnn.batches import Batch, Batches, TrainBatches
from cifar_cnn.config import DataConfig
from cifar_cnn.prepare import DataInfo, Split, open_data, prepare_data

__all__ = ["DataInfo", "ImageDataModule", "TrainOn", "prepare_data"]

TrainOn: TypeAlias = Literal["train", "train+val"]

EVAL_BATCH_SIZE = 512
"""Images per step without gradients: large enough for any device, small enough for any memory."""


class ImageDataModule(pl.LightningDataModule):
    """Batches of a data set, ready for a model: on the training device, augmented and normalised.

    No image is touched by Python on its own: a batch is one gather from the decoded arrays, which are
    memory-mapped on a CPU and lie in the memory of a GPU. The order of batches and the augmentation
    follow from (seed, epoch) alone, so a resumed run sees the batches of the uninterrupted one.

    Args:
        config: the data set.
        batch_size: most images per training batch.
        seed: seed of order and augmentation.
        train_on: 'train+val' trains on both splits together; there is then nothing to validate on.
        augmentation: what happens to training images; by default nothing.
        one_size: whether all training batches have `batch_size` images; see `TrainConfig.captured`.

    Raises:
        DataError: as `prepare_data`.

    Example:
        >>> module = ImageDataModule(DataConfig(train_size=100, val_size=50), batch_size=32, seed=0)
        >>> images, labels = next(iter(module.train_dataloader()))
        >>> images.shape, labels.shape, module.info.sizes["val"]
        (torch.Size([25, 3, 32, 32]), torch.Size([25]), 50)
    """

    def __init__(
        self,
        config: DataConfig,
        batch_size: int,
        seed: int,
        train_on: TrainOn = "train",
        augmentation: Augmentation = NO_AUGMENTATION,
        one_size: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.batch_size = batch_size
        self.seed = seed
        self.train_on = train_on
        self.augmentation = augmentation
        self.one_size = one_size
        self._data = open_data(config)
        self._on_device: dict[str, Tensor] = {}

    @property
    def info(self) -> DataInfo:
        """What the data set holds."""
        return self._data.info

    def train_dataloader(self) -> Any:
        """Shuffled and augmented batches (`TrainBatches`) of the training split, or train and val."""
        arrays = self._arrays("train")
        if self.train_on == "train+val":
            arrays["positions"] = torch.cat([arrays["positions"], self._arrays("val")["positions"]])
        return TrainBatches(
            **arrays,
            batch_size=self.batch_size,
            seed=self.seed,
            augmentation=self.augmentation,
            # Mirroring turns a digit into another sign, but leaves what photographs show.
            flips=self.config.dataset != "digits",
            epoch=lambda: self.trainer.current_epoch if self.trainer else 0,
            one_size=self.one_size,
        )

    def val_dataloader(self) -> Any:
        """The validation split in order, as it is (`Batches`); none if it is trained on."""
        return [] if self.train_on == "train+val" else self.plain_batches("val")

    def test_dataloader(self) -> Any:
        """The test split in order, as it is (`Batches`). Nothing else opens it."""
        return self.plain_batches("test")

    def plain_batches(self, split: Split) -> Batches:
        """A split in order, neither shuffled nor augmented."""
        return Batches(**self._arrays(split), batch_size=EVAL_BATCH_SIZE)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Nothing to move: the arrays lie on the device."""
        return batch

    def first_images(self, count: int) -> Tensor:
        """The first training images at most, normalised, float (N, 3, 32, 32), on the CPU."""
        arrays = self._arrays("train")
        chosen = arrays["positions"][:count]
        normalised: Tensor = arrays["normalise"](arrays["images"].index_select(0, chosen))
        return normalised.cpu()

    def release(self) -> None:
        """Frees the images, whoever still holds batches of them, which are of no use from then on.

        Trainer and loaders refer to each other, so what they hold stays until Python looks for such cycles,
        some dozens of trainings later. Lightning's own `teardown` hook is skipped when training raises.
        """
        for images in self._on_device.values():
            images.data = images.new_empty(0)
        self._on_device.clear()

    def _arrays(self, split: Split) -> dict[str, Any]:
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        images, labels, positions = self._data.arrays(split)
        part = "test" if split == "test" else "train"  # validation is cut from train: one copy holds both
        if part not in self._on_device:
            self._on_device[part] = torch.from_numpy(images).to(device)
        kept = torch.arange(len(labels)) if positions is None else torch.from_numpy(positions)
        return {
            "images": self._on_device[part],
            "labels": torch.from_numpy(labels).to(device),
            "positions": kept.to(device),
            "normalise": Normalise(self.info.mean, self.info.std, device),
        }
