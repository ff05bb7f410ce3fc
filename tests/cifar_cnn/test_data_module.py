"""Batches: every image once, nearly equal sizes, and the same again for the same seed and epoch."""

from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st

from cifar_cnn.augment import Augmentation, Normalise
from cifar_cnn.batches import Batches, TrainBatches
from cifar_cnn.config import DataConfig
from cifar_cnn.data import ImageDataModule
from cifar_cnn.prepare import PreparedData

NORMALISE = Normalise((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), torch.device("cpu"))


def batches(count: int, batch_size: int) -> Batches:
    """Images whose label is their number."""
    return Batches(
        images=torch.zeros(count, 32, 32, 3, dtype=torch.uint8),
        labels=torch.arange(count),
        positions=torch.arange(count),
        batch_size=batch_size,
        normalise=NORMALISE,
    )


@given(st.integers(2, 300), st.integers(4, 128))
def test_every_image_once_in_batches_of_nearly_equal_size(count: int, batch_size: int) -> None:
    whole = batches(count, batch_size)
    labels = [label for _, label in whole]
    assert len(labels) == len(whole)
    sizes = [len(label) for label in labels]
    assert torch.cat(labels).tolist() == list(range(count))
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2


def shuffled(epoch: int, seed: int = 0) -> TrainBatches:
    plain = batches(200, 64)
    return TrainBatches(
        **vars(plain), seed=seed, augmentation=Augmentation(1.0), flips=True, epoch=lambda: epoch
    )


def order(loader: TrainBatches) -> list[int]:
    return torch.cat([labels for _, labels in loader]).tolist()


def test_order_follows_from_seed_and_epoch() -> None:
    assert order(shuffled(3)) == order(shuffled(3))
    assert sorted(order(shuffled(3))) == list(range(200))
    assert len({tuple(order(shuffled(epoch, seed))) for epoch in range(3) for seed in range(3)}) == 9


def test_moves_follow_from_seed_and_epoch(few_digits: DataConfig) -> None:
    module = ImageDataModule(few_digits, batch_size=64, seed=1, augmentation=Augmentation(1.0))
    loader = module.train_dataloader()
    first = [images for images, _ in loader]
    again = [images for images, _ in loader]
    later = [images for images, _ in replace(loader, epoch=lambda: 1)]
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], later[0])


def test_alternating_sides_are_those_of_the_images_whatever_their_order(any_data: DataConfig) -> None:
    alternating = Augmentation(0.0, flip="alternating")
    module = ImageDataModule(any_data, batch_size=16, seed=0, augmentation=alternating)
    loader = module.train_dataloader()
    seen = [sorted_by_sum(replace(loader, epoch=lambda epoch=epoch: epoch)) for epoch in range(3)]
    assert torch.equal(seen[0], seen[2])
    second = seen[1] if any_data.dataset == "digits" else seen[1].flip(3)  # a mirrored digit is none
    assert torch.equal(seen[0], second)


def sorted_by_sum(loader: TrainBatches) -> torch.Tensor:
    """The images of an epoch in an order that mirroring leaves alone."""
    images = torch.cat([images for images, _ in loader]).double()
    return images[(images**3).sum(dim=(1, 2, 3)).round(decimals=4).argsort(stable=True)]


@pytest.mark.parametrize(("batch_size", "sizes"), [(64, [64, 64, 64]), (200, [200]), (256, [200])])
def test_batches_of_one_size_leave_the_rest_of_an_epoch_out(
    few_digits: DataConfig, batch_size: int, sizes: list[int]
) -> None:
    module = ImageDataModule(few_digits, batch_size=batch_size, seed=1, one_size=True)
    loader = module.train_dataloader()
    assert [len(labels) for _, labels in loader] == sizes
    assert len(loader) == len(sizes)


def test_no_augmentation_leaves_images_alone(few_digits: DataConfig) -> None:
    module = ImageDataModule(few_digits, batch_size=200, seed=1)
    [(images, _)] = module.train_dataloader()
    plain = torch.cat([images for images, _ in module.plain_batches("train")])
    assert torch.equal(images.sum(dim=(1, 2, 3)).sort().values, plain.sum(dim=(1, 2, 3)).sort().values)


def test_batches_of_every_data_set(any_data: DataConfig) -> None:
    module = ImageDataModule(any_data, batch_size=16, seed=0, augmentation=Augmentation(1.0))
    for loader in (module.train_dataloader(), module.val_dataloader(), module.test_dataloader()):
        images, labels = next(iter(loader))
        assert images.shape == (len(labels), 3, 32, 32)
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
    train = torch.cat([images for images, _ in module.plain_batches("train")])
    assert train.mean().abs() < 1e-3
    assert train.std() == pytest.approx(1, abs=0.01)


def test_train_and_val_together(few_digits: DataConfig) -> None:
    module = ImageDataModule(few_digits, batch_size=64, seed=0, train_on="train+val")
    assert len(torch.cat([labels for _, labels in module.train_dataloader()])) == 300


def test_test_images_are_opened_by_the_test_loader_alone(
    few_digits: DataConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    arrays = PreparedData.arrays
    monkeypatch.setattr(
        PreparedData, "arrays", lambda self, split: (opened.append(split), arrays(self, split))[1]
    )
    module = ImageDataModule(few_digits, batch_size=64, seed=0, train_on="train+val")
    list(module.train_dataloader())
    list(module.val_dataloader())
    assert "test" not in opened
    list(module.test_dataloader())
    assert "test" in opened


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_serves_any_lightning_module(few_digits: DataConfig) -> None:
    class Counter(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 10)
            self.seen: dict[str, int] = {"train": 0, "val": 0, "test": 0}

        def _loss(self, split: str, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            self.seen[split] += len(batch[1])
            return torch.nn.functional.cross_entropy(self.layer(batch[0].mean(dim=(2, 3))), batch[1])

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            return self._loss("train", batch)

        def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
            self._loss("val", batch)

        def test_step(self, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
            self._loss("test", batch)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module, data = Counter(), ImageDataModule(few_digits, batch_size=64, seed=0)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data, verbose=False)
    assert module.seen == {"train": 200, "val": 100, "test": 360}
