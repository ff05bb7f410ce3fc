"""Training as tutorials teach it: PIL transforms in a DataLoader, fp32, Lightning with its defaults.

The images lie decoded in memory, as torchvision's own CIFAR10 data set keeps them. Loading is in the
trial's own process: with one core a trial, loader processes only take turns with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.work import Work
from cifar_cnn.model import make_model
from cifar_cnn.prepare import Split, open_data


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images that become PIL images, and are transformed, one at a time."""

    def __init__(self, work: Work, split: Split) -> None:
        data = open_data(work.data)
        images, labels, positions = data.arrays(split)
        assert positions is not None
        self._images, self._labels = images[positions], labels[positions].tolist()
        normalise = [transforms.ToTensor(), transforms.Normalize(data.info.mean, data.info.std)]
        augment = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        self._transform = transforms.Compose([*(augment if split == "train" else []), *normalise])

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), self._labels[index]


class TutorialModule(pl.LightningModule):
    """The network of all peers, trained as a first LightningModule is."""

    def __init__(self, work: Work, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = work.config(params)
        self.model: nn.Module = make_model(self.config, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.model(images)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """The loss of a batch, logged."""
        images, labels = batch
        loss = cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Loss and accuracy of a batch, logged."""
        images, labels = batch
        logits = self(images)
        self.log("val_loss", cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> Any:
        """SGD with a cosine, stepped once an epoch."""
        config = self.config
        optimizer = torch.optim.SGD(
            self.parameters(), config.lr, config.momentum, weight_decay=config.weight_decay, nesterov=True
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=config.max_epochs)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def fit(
    work: Work, params: Mapping[str, Any], callbacks: list[pl.Callback], threads: int = 1
) -> TutorialModule:
    """Train one trial, on one core unless told otherwise."""
    torch.set_num_threads(threads)
    module = TutorialModule(work, params)
    trainer = pl.Trainer(
        max_epochs=work.epochs,
        accelerator="auto",
        devices=1,
        callbacks=callbacks,
        enable_progress_bar=False,
        enable_checkpointing=False,
        logger=False,
    )
    batch_size = module.config.batch_size
    trainer.fit(
        module,
        DataLoader(PilImages(work, "train"), batch_size, shuffle=True),
        DataLoader(PilImages(work, "val"), batch_size),
    )
    return module
