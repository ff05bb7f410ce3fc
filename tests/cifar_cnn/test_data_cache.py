"""The decoded cache: written whole, once, in the first place that can be written."""

import logging
import multiprocessing
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets  # noqa: F401  # before a test steps down: root's packages may be hidden from others

from cifar_cnn import cache, files
from cifar_cnn.cache import FOLDER_NAME
from cifar_cnn.config import DataConfig
from cifar_cnn.datasets import source_key
from cifar_cnn.errors import DataError
from cifar_cnn.prepare import open_data, prepare_data


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permission bits mean nothing to root, so tests run as root step down for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A folder that any user may enter and write; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def test_lies_in_the_data_folder_by_default(image_folder: Path, tmp_path: Path) -> None:
    prepare_data(DataConfig(dataset="folder", data_dir=image_folder))
    assert (image_folder / FOLDER_NAME).is_dir()
    assert not (tmp_path / "user-cache").exists()


def test_cache_dir_is_used_when_given(image_folder: Path, tmp_path: Path) -> None:
    prepare_data(DataConfig(dataset="folder", data_dir=image_folder, cache_dir=tmp_path / "here"))
    assert list((tmp_path / "here").glob("folder-*/meta.json"))
    assert not (image_folder / FOLDER_NAME).exists()


def test_read_only_data_folder_falls_back_to_the_users_cache(
    open_tmp: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir = open_tmp / "read-only"
    data_dir.mkdir(mode=0o555)
    monkeypatch.setenv("XDG_CACHE_HOME", str(open_tmp / "xdg"))
    with unprivileged(), caplog.at_level(logging.WARNING):
        prepare_data(DataConfig(data_dir=data_dir))
    assert list((open_tmp / "xdg" / "cifar-sweep").glob("digits-*/meta.json"))
    assert f"decoded images are kept in {open_tmp / 'xdg' / 'cifar-sweep'}" in caplog.text
    assert not list(data_dir.iterdir())


def test_read_only_folder_with_a_filled_cache_is_enough(
    open_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DataConfig(data_dir=open_tmp / "filled")
    info = prepare_data(config)
    for path in [config.data_dir, *config.data_dir.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setattr(cache, "decode", lambda *_: pytest.fail("decoded again"))
    with unprivileged():
        assert prepare_data(config) == info
        assert prepare_data(config.model_copy(update={"split_seed": 1})).fingerprint == info.fingerprint
    for path in [config.data_dir, *config.data_dir.rglob("*")]:
        path.chmod(0o755)


def test_nowhere_to_write_says_so(open_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = open_tmp / "locked"
    locked.mkdir(mode=0o555)
    with unprivileged(), pytest.raises(DataError, match="set cache_dir to one that can"):
        prepare_data(DataConfig(data_dir=open_tmp, cache_dir=locked))
    monkeypatch.setenv("XDG_CACHE_HOME", str(locked))
    with unprivileged(), pytest.raises(DataError, match="set XDG_CACHE_HOME to one that can"):
        prepare_data(DataConfig(data_dir=locked))


def test_debris_of_a_killed_process_is_cleared(tmp_path: Path) -> None:
    config = DataConfig(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")
    debris = tmp_path / "cache" / f"{source_key(config)}.part"
    debris.mkdir(parents=True)
    (debris / "train_images.npy").write_bytes(b"half")
    prepare_data(config)
    assert not list((tmp_path / "cache").glob("*.part"))
    assert open_data(config).arrays("train")[0].shape == (1437, 32, 32, 3)


def _count_decodes(config: DataConfig, counter: Path) -> None:
    original = cache.decode

    def counted(*args: object) -> object:
        with counter.open("a") as file:
            file.write("x")
        return original(*args)  # type: ignore[arg-type]

    cache.decode = counted  # type: ignore[assignment]
    prepare_data(config)


def test_processes_that_come_at_once_decode_once(image_folder: Path, tmp_path: Path) -> None:
    config = DataConfig(dataset="folder", data_dir=image_folder)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_count_decodes, args=(config, tmp_path / "counter")) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert (tmp_path / "counter").read_text() == "x"


def test_a_trial_cannot_spoil_the_cache(few_digits: DataConfig) -> None:
    images, _, _ = open_data(few_digits).arrays("train")
    before = int(images[0, 0, 0, 0])
    images[0, 0, 0, 0] = before + 1
    open_data.cache_clear()
    assert open_data(few_digits).arrays("train")[0][0, 0, 0, 0] == before


def test_open_data_looks_at_the_sources_once(few_digits: DataConfig) -> None:
    assert open_data(few_digits) is open_data(few_digits.model_copy())


def test_atomic_write_leaves_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    files.write_atomically(path, "old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        files.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".file*")) == []


@pytest.mark.parametrize(("private", "mode"), [(False, 0o644), (True, 0o600)])
def test_atomic_write_gives_the_mode_that_the_umask_does_unless_nobody_else_may_read_it(
    tmp_path: Path, private: bool, mode: int
) -> None:
    before = os.umask(0o022)
    try:
        files.write_atomically(tmp_path / "file.json", "text", private=private)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.json").stat().st_mode) == mode


def test_constant_channel_does_not_divide_by_zero(tmp_path: Path) -> None:
    from PIL import Image

    for split in ("train", "test"):
        for name, level in (("dark", 10), ("light", 200)):
            folder = tmp_path / "plain" / split / name
            folder.mkdir(parents=True)
            for number in range(5):
                Image.new("RGB", (32, 32), (level, 7, 0)).save(folder / f"{number}.png")
    info = prepare_data(DataConfig(dataset="folder", data_dir=tmp_path / "plain"))
    assert info.std[1:] == (1.0, 1.0)
    assert np.isfinite(info.std).all()
