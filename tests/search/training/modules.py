"""LightningModules as users write them, small enough to train in a test."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset, random_split

SCHEDULERS = {
    "step": lambda optimizer: lr_scheduler.StepLR(optimizer, 1, 0.7),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 5),
    "plateau": lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5),
}


class Blobs(pl.LightningDataModule):
    """Two classes of points; the split is drawn from torch's own generator, as many users do."""

    def __init__(self, batch_size: int = 32, workers: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        x = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
        self.train, self.val = random_split(TensorDataset(x, (x.sum(1) > 0).long()), [400, 100])

    def train_dataloader(self) -> Any:
        return DataLoader(self.train, self.hparams.batch_size, shuffle=True, num_workers=self.hparams.workers)

    def val_dataloader(self) -> Any:
        return DataLoader(self.val, 100, num_workers=self.hparams.workers)


class Perceptron(pl.LightningModule):
    """A perceptron with dropout, momentum and a schedule: everything that a resume has to take up."""

    def __init__(self, lr: float, width: int = 8, schedule: str = "step") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 2))

    def training_step(self, batch: Any, _: int) -> Any:
        x, y = batch
        loss = nn.functional.cross_entropy(self.net(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("lr", self.optimizers().param_groups[0]["lr"])
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        x, y = batch
        logits = self.net(x)
        self.log("val_loss", nn.functional.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.hparams.lr, momentum=0.9)
        schedule = {"scheduler": SCHEDULERS[self.hparams.schedule](optimizer), "monitor": "val_loss"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def patient() -> list[Any]:
    """Stops as soon as it does not get better."""
    return [EarlyStopping("val_loss", patience=0, min_delta=10.0)]


class Unvalidated(Blobs):
    """It has nothing to validate on."""

    val_dataloader = pl.LightningDataModule.val_dataloader
