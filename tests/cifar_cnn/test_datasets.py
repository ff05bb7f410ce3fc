"""One contract over digits, cifar10 and folder; then what is particular to cifar10."""

import multiprocessing
import os
import shutil
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from cifar_cnn import cache, cifar10
from cifar_cnn.config import DataConfig
from cifar_cnn.errors import DataError
from cifar_cnn.prepare import open_data, prepare_data

SIZES = {
    "digits": {"train": 1150, "val": 287, "test": 360},
    "cifar10": {"train": 200, "val": 50, "test": 50},
    "folder": {"train": 48, "val": 12, "test": 15},
}


def test_info_describes_the_images(any_data: DataConfig) -> None:
    info = prepare_data(any_data)
    assert info.sizes == SIZES[any_data.dataset]
    assert info.num_classes == len(info.class_names) == len(set(info.class_names))
    images, _, positions = open_data(any_data).arrays("train")
    pixels = images[positions] / 255
    np.testing.assert_allclose(info.mean, pixels.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(info.std, pixels.std(axis=(0, 1, 2)), rtol=1e-9)


def test_splits_are_whole_stratified_and_disjoint(any_data: DataConfig) -> None:
    data = open_data(any_data)
    seen = []
    for split in ("train", "val"):
        images, labels, positions = data.arrays(split)
        assert images.shape == (len(labels), 32, 32, 3)
        assert images.dtype == np.uint8
        counts = np.bincount(labels[positions])
        expected = np.bincount(labels) * len(positions) / len(labels)
        assert np.all(np.abs(counts - expected) <= 1)
        seen += list(positions)
    assert sorted(seen) == list(range(len(seen)))
    test_images, test_labels, positions = data.arrays("test")
    assert positions is None
    assert len(test_images) == len(test_labels) == data.info.sizes["test"]


def test_same_data_same_info_wherever_they_lie(any_data: DataConfig, tmp_path: Path) -> None:
    info = prepare_data(any_data)
    elsewhere = any_data.model_copy(update={"cache_dir": tmp_path / "another-cache"})
    assert prepare_data(elsewhere) == info


def test_second_time_reads_the_cache(any_data: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    info = prepare_data(any_data)
    monkeypatch.setattr(cache, "decode", lambda *_: pytest.fail("decoded twice"))
    assert prepare_data(any_data) == info
    assert prepare_data(any_data.model_copy(update={"train_size": 20})).fingerprint == info.fingerprint


def test_sizes_take_stratified_subsets_of_the_same_split(any_data: DataConfig) -> None:
    small = any_data.model_copy(update={"train_size": 30, "val_size": 10})
    whole, part = open_data(any_data), open_data(small)
    assert part.info.sizes == {"train": 30, "val": 10, "test": whole.info.sizes["test"]}
    assert set(part.train) < set(whole.train)
    assert set(part.val) < set(whole.val)
    assert part.info.split_digest != whole.info.split_digest
    assert part.info.fingerprint == whole.info.fingerprint


@pytest.mark.parametrize("field", ["train_size", "val_size"])
def test_more_than_there_is_says_how_many_there_are(any_data: DataConfig, field: str) -> None:
    there = SIZES[any_data.dataset][field.removesuffix("_size")]
    config = any_data.model_copy(update={field: there + 1})
    with pytest.raises(DataError, match=rf"{field}={there + 1} .*at most {there}"):
        prepare_data(config)


def test_split_seed_moves_validation_but_not_test(any_data: DataConfig) -> None:
    one, two = open_data(any_data), open_data(any_data.model_copy(update={"split_seed": 1}))
    assert one.info.split_digest != two.info.split_digest
    assert np.array_equal(one.arrays("test")[0], two.arrays("test")[0])


# --- cifar10 --------------------------------------------------------------------------------------


def cifar10_config(root: Path) -> DataConfig:
    return DataConfig(dataset="cifar10", data_dir=root)


def no_network(*_: object, **__: object) -> None:
    raise URLError("Network is unreachable")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CIFAR10, "download", no_network)


def test_cifar10_pixels_are_those_of_the_batches(cifar10_dir: Path) -> None:
    images, labels, _ = open_data(cifar10_config(cifar10_dir)).arrays("test")
    original = CIFAR10(cifar10_dir, train=False)
    assert np.array_equal(images, original.data)
    assert labels.tolist() == original.targets


@pytest.mark.usefixtures("offline")
def test_cifar10_archive_alone_is_enough(cifar10_dir: Path) -> None:
    whole = prepare_data(cifar10_config(cifar10_dir).model_copy(update={"cache_dir": cifar10_dir / "1"}))
    shutil.rmtree(cifar10_dir / CIFAR10.base_folder)
    config = cifar10_config(cifar10_dir).model_copy(update={"cache_dir": cifar10_dir / "2"})
    assert prepare_data(config) == whole
    assert not (cifar10_dir / CIFAR10.base_folder).exists(), "unpacked beside a possibly read-only archive"


@pytest.mark.usefixtures("offline")
def test_cifar10_without_data_or_network_names_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"(?s)Network is unreachable.*connect to the network.*\.tar\.gz"
    ) as e:
        prepare_data(cifar10_config(tmp_path / "none"))
    assert "\n" not in str(e.value)
    assert not list((tmp_path / "none").rglob("*.part")), "left something half-made"


@pytest.fixture
def online(cifar10_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive can be fetched from a server."""
    archive = cifar10_dir / CIFAR10.filename
    monkeypatch.setattr("torchvision.datasets.utils._get_redirect_url", lambda url, max_hops: url)
    monkeypatch.setattr(
        "torchvision.datasets.utils._urlretrieve", lambda url, file: shutil.copyfile(archive, file)
    )


@pytest.mark.usefixtures("online")
def test_cifar10_downloads_what_is_missing_and_keeps_it(
    cifar10_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = cifar10_config(cifar10_dir / "fresh").model_copy(update={"cache_dir": cifar10_dir / "1"})
    assert prepare_data(config).sizes == SIZES["cifar10"]
    assert [path.name for path in config.data_dir.iterdir()] == [CIFAR10.filename]
    monkeypatch.setattr(CIFAR10, "download", no_network)
    prepare_data(config.model_copy(update={"cache_dir": cifar10_dir / "2"}))


@pytest.mark.usefixtures("online")
def test_cifar10_download_that_was_killed_is_no_damaged_archive(
    cifar10_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = cifar10_config(cifar10_dir / "fresh")

    def half(dataset: CIFAR10) -> None:
        (Path(dataset.root) / CIFAR10.filename).write_bytes(b"half of it")
        os._exit(9)

    process = multiprocessing.get_context("fork").Process(target=prepare_data, args=(config,))
    with monkeypatch.context() as patch:
        patch.setattr(CIFAR10, "download", half)
        process.start()
        process.join()
    assert process.exitcode == 9
    assert prepare_data(config).sizes == SIZES["cifar10"]


@pytest.mark.usefixtures("online")
def test_cifar10_is_downloaded_though_it_cannot_be_kept(
    cifar10_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "is_writable", lambda folder: False)
    config = cifar10_config(cifar10_dir / "fresh").model_copy(update={"cache_dir": cifar10_dir / "1"})
    assert prepare_data(config).sizes == SIZES["cifar10"]
    assert not config.data_dir.exists()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("damaged", ["cifar-10-batches-py/data_batch_3", "cifar-10-python.tar.gz"])
def test_cifar10_damage_names_the_file(cifar10_dir: Path, damaged: str) -> None:
    if damaged.endswith(".gz"):
        shutil.rmtree(cifar10_dir / CIFAR10.base_folder)
    path = cifar10_dir / damaged
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=rf"{damaged} is damaged: its MD5 is") as caught:
        prepare_data(cifar10_config(cifar10_dir))
    assert "\n" not in str(caught.value)


def test_cifar10_is_never_unpickled_unchecked(cifar10_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cifar10_dir / CIFAR10.base_folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    monkeypatch.setattr("pickle.load", lambda *_, **__: pytest.fail("opened an unchecked pickle"))
    with pytest.raises(DataError, match="damaged"):
        cifar10.load(cifar10_dir, cifar10_dir)
