"""Where images come from: each data set has a key that changes with its sources, and a decoder."""

import dataclasses
import hashlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cifar_cnn import cifar10, image_folder
from cifar_cnn.config import IMAGE_SIZE, DataConfig
from cifar_cnn.folder_listing import scan
from cifar_cnn.splits import Indices, stratified_draw

Images: TypeAlias = NDArray[np.uint8]

DIGITS_TEST_SIZE = 360
"""A fifth of scikit-learn's 1,797 digits, which come without a test split of their own."""

_FORMAT = 2
"""Counted up when the same sources decode to other pixels, so that older caches are not used."""


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A whole data set in memory: images uint8 (N, 32, 32, 3), labels int64 (N,).

    Example:
        >>> digits = decode(DataConfig(dataset="digits"), scratch=Path())
        >>> digits.train_images.shape, digits.test_labels.shape
        ((1437, 32, 32, 3), (360,))
    """

    train_images: Images
    train_labels: Indices
    test_images: Images
    test_labels: Indices
    class_names: tuple[str, ...]
    left_out: str = ""  # one line about files that gave no image

    def fingerprint(self) -> str:
        """SHA-256 of everything in it, 16 hex digits: the same on every machine, whatever the paths."""
        sha = hashlib.sha256("\0".join(self.class_names).encode())
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            sha.update(str(array.shape).encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()[:16]


def source_key(config: DataConfig) -> str:
    """A file name for the decoded form of these sources; changed sources have another key.

    Digits ship with scikit-learn and CIFAR-10 is fixed by its checksums, so only a folder is looked at.

    Raises:
        DataError: the folder is missing or not laid out as classes.
    """
    if config.dataset == "folder":
        # A cache in which images were skipped is none for those who do not want to skip any.
        rule = "-skipping" if config.skip_damaged else ""
        return f"folder-{scan(config.data_dir).key()}{rule}-v{_FORMAT}"
    return f"{config.dataset}-v{_FORMAT}"


def decode(config: DataConfig, scratch: Path) -> Decoded:
    """Reads every image of a data set.

    Args:
        config: which data set; its sizes and split do not matter here.
        scratch: a writable folder for what must be unpacked on the way; the caller removes it.

    Raises:
        DataError: sources are missing, damaged or cannot be downloaded; of a folder as `image_folder.load`.
    """
    if config.dataset == "digits":
        return _digits()
    left_out = ""
    if config.dataset == "cifar10":
        train, test, names = cifar10.load(config.data_dir, scratch)
    else:
        train, test, names, left_out = image_folder.load(config.data_dir, skip_damaged=config.skip_damaged)
    return Decoded(*train, *test, tuple(names), left_out)


def _digits() -> Decoded:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # slow to import

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    factor = IMAGE_SIZE // grey.shape[1]
    large = grey.repeat(factor, axis=1).repeat(factor, axis=2)
    images: Images = np.repeat(large[..., None], 3, axis=3)
    labels: Indices = digits.target.astype(np.int64)
    # A constant seed: the test images must be the same ones whatever split_seed a user tries.
    test = stratified_draw(labels, DIGITS_TEST_SIZE, (0, 0))
    train = np.setdiff1d(np.arange(len(labels)), test)
    names = tuple(str(digit) for digit in digits.target_names)
    return Decoded(images[train], labels[train], images[test], labels[test], names)
