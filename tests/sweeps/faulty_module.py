"""A LightningModule with each fault that users' code has; `fault` says which. Workers import this."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

FAULTS = ("none", "no metric", "vector", "exit", "worker", "setup", "nothing to train")


class Points(Dataset[Any]):
    """Few points, of which reading one may end the process that reads."""

    def __init__(self, *, deadly: bool) -> None:
        self._deadly = deadly

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int) -> Any:
        if self._deadly:
            os._exit(1)
        return torch.ones(4), torch.tensor(index % 2)


class Faulty(pl.LightningModule):
    """It has one fault at most."""

    def __init__(self, fault: str, lr: float) -> None:
        super().__init__()
        self.fault, self.lr = fault, lr
        self.net = torch.nn.Linear(4, 2)

    def setup(self, stage: str) -> None:
        if self.fault == "setup":
            raise RuntimeError("no such table")

    def on_train_epoch_start(self) -> None:
        if self.fault == "exit":
            sys.exit(3)

    def training_step(self, batch: Any, _: int) -> Any:
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("val_loss", 0.5)
        if self.fault != "no metric":
            self.log("val_acc", torch.ones(2) if self.fault == "vector" else torch.tensor(0.5))

    def configure_optimizers(self) -> Any:
        if self.fault == "nothing to train":
            return torch.optim.SGD([], self.lr)
        return torch.optim.SGD(self.parameters(), self.lr)

    def train_dataloader(self) -> Any:
        deadly = self.fault == "worker"
        return DataLoader(Points(deadly=deadly), 8, num_workers=int(deadly))

    def val_dataloader(self) -> Any:
        return DataLoader(Points(deadly=False), 8)
