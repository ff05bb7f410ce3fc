"""Images decoded once, kept as .npy files that every trial maps into memory."""

import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from filelock import FileLock

from cifar_cnn.config import DataConfig
from cifar_cnn.datasets import Decoded, Images, decode, source_key
from cifar_cnn.errors import DataError
from cifar_cnn.files import is_writable
from cifar_cnn.splits import Indices

log = logging.getLogger(__name__)

FOLDER_NAME = ".cifar-cnn-cache"

_META = "meta.json"


@dataclass(frozen=True)
class DecodedCache:
    """A decoded data set on disk. `train` is what the sources call so: validation is cut from it.

    Attributes:
        folder: holds it.
        class_names: by label.
        fingerprint: of all images, labels and names.
        left_out: a line about files of a folder that are not in it; empty if all are.

    Example:
        >>> open_cache(DataConfig(dataset="digits")).images("test").shape
        (360, 32, 32, 3)
    """

    folder: Path
    class_names: tuple[str, ...]
    fingerprint: str
    left_out: str = ""

    def images(self, part: Literal["train", "test"]) -> Images:
        """Images uint8 (N, 32, 32, 3), mapped: pages are read as they are touched and shared by processes."""
        # Copy-on-write: torch warns about tensors over read-only memory, and nobody can spoil the file.
        images: Images = np.load(self.folder / f"{part}_images.npy", mmap_mode="c")
        return images

    def labels(self, part: Literal["train", "test"]) -> Indices:
        """Class of each image, int64 (N,)."""
        labels: Indices = np.load(self.folder / f"{part}_labels.npy")
        return labels


def open_cache(config: DataConfig) -> DecodedCache:
    """Opens the decoded data set, decoding it first if that has not been done.

    Any number of processes may call at once: one decodes, the others wait for it.

    Raises:
        DataError: sources are missing or damaged, or the cache cannot be written anywhere.
    """
    key = source_key(config)
    roots = _roots(config)
    for root in roots:
        if (root / key / _META).is_file():
            return _read(root / key)
    root = _writable_root(roots)
    with FileLock(root / f"{key}.lock"):
        if not (root / key / _META).is_file():
            _build(config, root / key)
    return _read(root / key)


def _roots(config: DataConfig) -> list[Path]:
    if config.cache_dir is not None:
        return [config.cache_dir]
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [config.data_dir / FOLDER_NAME, user_cache / "cifar-sweep"]


def _writable_root(roots: list[Path]) -> Path:
    for root in roots:
        if is_writable(root):
            if root != roots[0]:
                log.warning("%s cannot be written: decoded images are kept in %s", roots[0], root)
            return root
    setting = "XDG_CACHE_HOME" if len(roots) > 1 else "cache_dir"
    raise DataError(
        f"Decoded images need a folder that can be written, and {' and '.join(map(str, roots))} cannot; "
        f"set {setting} to one that can."
    )


def _build(config: DataConfig, target: Path) -> None:
    # Under the lock, so whatever bears this name is the debris of a process that was killed.
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    scratch = part / "scratch"
    scratch.mkdir(parents=True)
    try:
        _write(decode(config, scratch), part)
        shutil.rmtree(scratch)
        part.rename(target)
    except BaseException:  # of any kind, a stop too: it is raised on
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write(data: Decoded, folder: Path) -> None:
    np.save(folder / "train_images.npy", data.train_images)
    np.save(folder / "train_labels.npy", data.train_labels)
    np.save(folder / "test_images.npy", data.test_images)
    np.save(folder / "test_labels.npy", data.test_labels)
    meta = {"class_names": data.class_names, "fingerprint": data.fingerprint(), "left_out": data.left_out}
    (folder / _META).write_text(json.dumps(meta), encoding="utf-8")


def _read(folder: Path) -> DecodedCache:
    meta = json.loads((folder / _META).read_text(encoding="utf-8"))
    # Caches from before files were counted leave nothing out that they would tell.
    return DecodedCache(folder, tuple(meta["class_names"]), meta["fingerprint"], meta.get("left_out", ""))
