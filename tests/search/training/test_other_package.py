"""A module of `lightning.pytorch`, whose classes do not mix with those of `pytorch_lightning`.

The package `lightning` is none of this project's dependencies; CI runs this with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from recorded import EPOCHS, Recorded, objective_of
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning = pytest.importorskip("lightning")


class WithItsLoaders(lightning.LightningModule):
    """A linear model that needs no data module."""

    def __init__(self, lr: float, max_epochs: int) -> None:
        super().__init__()
        self.lr, self.epochs = lr, max_epochs
        self.net = nn.Linear(8, 2)

    def _loader(self) -> Any:
        x = torch.randn(64, 8)
        return DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), 32)

    train_dataloader = val_dataloader = _loader

    def training_step(self, batch: Any, _: int) -> Any:
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("val_acc", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


def callbacks() -> list[Any]:
    """Of the same package."""
    return [lightning.pytorch.callbacks.EarlyStopping("val_acc", mode="max", patience=100)]


def test_a_module_of_the_other_package_may_have_its_own_loaders(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    objective = objective_of(WithItsLoaders, callbacks=callbacks)
    trial.attempt(objective, {"lr": 0.1}, until=2)
    trial.attempt(objective, {"lr": 0.1})
    assert list(trial.metrics) == list(range(1, EPOCHS + 1))
