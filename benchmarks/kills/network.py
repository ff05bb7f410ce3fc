"""What the killed Lightning sweeps train: a network of a few weights, whose loaders have two workers each.

Everything random is drawn somewhere that a resume has to take up: batches are shuffled, the loaders' workers
add noise, and the network has dropout and momentum.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.kills.formula import fails, note_epoch

LOADER_WORKERS = 2


class NoisyPoints(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Points of two classes, each with fresh noise whenever it is read."""

    def __init__(self, count: int, seed: int) -> None:
        self._points = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))

    def __len__(self) -> int:
        return len(self._points)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        point = self._points[index]
        return point + torch.randn(4), (point.sum() > 0).long()


class Points(pl.LightningDataModule):
    """They are read by two workers a loader."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(NoisyPoints(128, 0), 16, shuffle=True, num_workers=LOADER_WORKERS)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(NoisyPoints(128, 1), 64, num_workers=LOADER_WORKERS)


class Network(pl.LightningModule):
    """Writes down each epoch that begins; every fifth trial fails in its second.

    Args:
        rate: of SGD.
        depth: layers.
        log: where epochs are written down.
        seed: of the trial, which is its number, for the sweep's own is 0.
    """

    def __init__(self, rate: float, depth: int, log: str, seed: int) -> None:
        super().__init__()
        self._rate, self._log, self._number = rate, log, seed
        hidden = [nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Dropout(0.1)) for _ in range(depth)]
        self.net = nn.Sequential(*hidden, nn.Linear(4, 2))

    def on_train_epoch_start(self) -> None:
        note_epoch(self._log, self._number, self.current_epoch + 1)

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        if fails(self._number, self.current_epoch + 1):
            raise RuntimeError("this configuration cannot be trained")
        points, classes = batch
        loss = nn.functional.cross_entropy(self.net(points), classes)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        points, classes = batch
        logits = self.net(points)
        self.log("val_loss", nn.functional.cross_entropy(logits, classes))
        self.log("val_acc", (logits.argmax(1) == classes).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self._rate, momentum=0.9)
