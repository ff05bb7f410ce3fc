"""A LightningModule of one's own, swept: `uv run examples/lightning_mlp.py`, about a minute on two cores."""

import pytorch_lightning as pl
import torch
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split

from search.lightning import lightning_sweep


class Digits(pl.LightningDataModule):
    def __init__(self, batch_size=64):
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage):
        images, labels = (torch.tensor(array) for array in load_digits(return_X_y=True))
        data, split = TensorDataset(images.float() / 16, labels), torch.Generator().manual_seed(0)
        self.train, self.val, self.test = random_split(data, [0.6, 0.2, 0.2], split)

    def train_dataloader(self):
        return DataLoader(self.train, self.batch_size, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.val, 512)

    def test_dataloader(self):
        return DataLoader(self.test, 512)


class Mlp(pl.LightningModule):
    def __init__(self, width, lr, dropout=0.0):
        super().__init__()
        self.save_hyperparameters()
        between = torch.nn.ReLU(), torch.nn.Dropout(dropout)
        self.net = torch.nn.Sequential(torch.nn.Linear(64, width), *between, torch.nn.Linear(width, 10))

    def forward(self, images):
        return self.net(images)

    def training_step(self, batch, _):
        loss = torch.nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def test_step(self, batch, batch_idx):
        self.log("test_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)


SPACE = {
    "width": IntDistribution(16, 256, log=True),
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "dropout": FloatDistribution(0.0, 0.5),
    "batch_size": IntDistribution(16, 256, log=True),
}
if __name__ == "__main__":
    sweep = lightning_sweep(Mlp, Digits, space=SPACE, metric="val_acc", max_epochs=9, budget="10x")
    print(sweep.run())
