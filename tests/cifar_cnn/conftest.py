"""Small data sets in each of the three forms, and small runs over them."""

import hashlib
import pickle
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from folder_makers import write_two_classes
from hypothesis import settings
from PIL import Image
from torchvision.datasets import CIFAR10
from trainings import EpochReport, fit

from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.prepare import open_data

FOLDER_CLASSES = ("cat", "dog", "owl")
TRAIN_PER_CLASS, TEST_PER_CLASS = 20, 5
FAKE_CIFAR_TRAIN, FAKE_CIFAR_TEST = 250, 50


# Shared cores make timings meaningless, and a failure must come back when it is run again.
settings.register_profile("cifar_cnn", deadline=None, derandomize=True)
settings.load_profile("cifar_cnn")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small lose more to waiting for each other's threads than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test has its own folder, cache and random numbers, and leaves no file where it ran."""
    place = tmp_path / "cwd"
    place.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    monkeypatch.chdir(place)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    open_data.cache_clear()
    assert list(place.iterdir()) == []


def _write_folder(root: Path) -> Path:
    generator = np.random.default_rng(0)
    for split, count in (("train", TRAIN_PER_CLASS), ("test", TEST_PER_CLASS)):
        for label, name in enumerate(FOLDER_CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(80 * label, 80 * label + 80, (40, 24, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number:04}.{('jpg', 'png', 'JPEG')[number % 3]}")
    return root


def _write_cifar10(root: Path) -> Path:
    """The files of `cifar-10-batches-py`, with few and random images."""
    generator = np.random.default_rng(0)
    batches = root / CIFAR10.base_folder
    batches.mkdir(parents=True)
    names = [(f"data_batch_{number}", FAKE_CIFAR_TRAIN // 5) for number in range(1, 6)]
    for name, count in [*names, ("test_batch", FAKE_CIFAR_TEST)]:
        labels = [number % 10 for number in range(count)]
        data = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
        (batches / name).write_bytes(pickle.dumps({"data": data, "labels": labels}))
    label_names = ["airplane", *(f"class{number}" for number in range(1, 10))]
    (batches / "batches.meta").write_bytes(pickle.dumps({"label_names": label_names}))
    with tarfile.open(root / CIFAR10.filename, "w:gz") as archive:
        archive.add(batches, arcname=CIFAR10.base_folder)
    return root


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """60 training and 15 test images of three classes, 40 by 24 pixels, in three spellings of suffix."""
    return _write_folder(tmp_path / "images")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """20 training and 6 test images of two classes, in the simplest form."""
    return write_two_classes(tmp_path / "images")


@pytest.fixture
def cifar10_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with CIFAR-10's archive and its unpacked batches; torchvision expects just these."""
    root = _write_cifar10(tmp_path / "cifar10")
    batches = root / CIFAR10.base_folder
    for attribute in ("train_list", "test_list"):
        expected = [[name, _md5(batches / name)] for name, _ in getattr(CIFAR10, attribute)]
        monkeypatch.setattr(CIFAR10, attribute, expected)
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": _md5(batches / "batches.meta")})
    monkeypatch.setattr(CIFAR10, "tgz_md5", _md5(root / CIFAR10.filename))
    return root


@pytest.fixture(params=["digits", "cifar10", "folder"])
def any_data(request: pytest.FixtureRequest, tmp_path: Path) -> DataConfig:
    """Each data set in turn."""
    folders = {"digits": lambda: tmp_path / "digits"}
    for name, fixture in (("cifar10", "cifar10_dir"), ("folder", "image_folder")):
        folders[name] = lambda fixture=fixture: request.getfixturevalue(fixture)
    return DataConfig(dataset=request.param, data_dir=folders[request.param]())


@pytest.fixture(scope="session")
def digits_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of the digits for all tests that do not look at caching."""
    return tmp_path_factory.mktemp("digits")


@pytest.fixture
def few_digits(digits_dir: Path) -> DataConfig:
    """200 training and 100 validation digits."""
    return DataConfig(data_dir=digits_dir, train_size=200, val_size=100)


@pytest.fixture
def tiny() -> TrainConfig:
    """The smallest run that has all the parts: dropout, augmentation, warm-up, several steps an epoch."""
    return TrainConfig(depth=1, width=4, head_width=8, max_epochs=3, batch_size=64, dropout=0.2, seed=3)


@pytest.fixture
def save_every_epoch(tmp_path: Path) -> Callable[[EpochReport], None]:
    """An `on_epoch` that saves to `epoch-1/`, `epoch-2/`, ..."""

    def save(report: EpochReport) -> None:
        report.save(tmp_path / f"epoch-{report.epoch}")

    return save


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, digits_dir: Path) -> Path:
    """The checkpoint folder of a small network that has learnt the digits."""
    folder = tmp_path_factory.mktemp("trained")
    # In fp32, as `evaluate` computes: their figures can be compared on any hardware.
    config = TrainConfig(
        depth=2, width=8, head_width=32, max_epochs=5, batch_size=32, augmentation=0.5, precision="fp32"
    )
    fit(config, DataConfig(data_dir=digits_dir), on_epoch=lambda report: report.save(folder))
    return folder
