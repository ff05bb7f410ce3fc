"""Data made ready for training: decoded, split, counted and measured. Loads no torch once decoded."""

import contextlib
import functools
import hashlib
import json
import logging
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from cifar_cnn.cache import DecodedCache, open_cache
from cifar_cnn.config import DataConfig
from cifar_cnn.datasets import Images
from cifar_cnn.errors import DataError
from cifar_cnn.files import write_atomically
from cifar_cnn.splits import Indices, digest, split_train_val, subset

log = logging.getLogger(__name__)

Split: TypeAlias = Literal["train", "val", "test"]
Triple: TypeAlias = tuple[float, float, float]


class DataInfo(BaseModel):
    """What a data set holds and how it was split: enough to tell whether two runs saw the same data.

    Example:
        >>> info = prepare_data(DataConfig(dataset="digits", train_size=100, val_size=50))
        >>> info.sizes, info.num_classes
        ({'train': 100, 'val': 50, 'test': 360}, 10)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(description="Name of the data set.")
    class_names: tuple[str, ...] = Field(description="Name of each class, by label.")
    sizes: dict[Split, int] = Field(description="Images in each split, after train_size and val_size.")
    fingerprint: str = Field(description="SHA-256 of all images, labels and names; 16 hex digits.")
    split_seed: int = Field(description="Seed the split was drawn with.")
    split_digest: str = Field(description="SHA-256 of the training and validation positions; 16 hex digits.")
    mean: Triple = Field(description="Mean of red, green, blue over the training split; 0 to 1.")
    std: Triple = Field(description="Standard deviation of red, green, blue over the training split; 0 to 1.")

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


@dataclass(frozen=True)
class PreparedData:
    """A data set ready to be read: `info` about it, and the images of each split.

    Example:
        >>> images, labels, positions = open_data(DataConfig(train_size=100)).arrays("train")
        >>> images.shape, positions.shape
        ((1437, 32, 32, 3), (100,))
    """

    info: DataInfo
    cache: DecodedCache
    train: Indices
    val: Indices

    def arrays(self, split: Split) -> tuple[Images, Indices, Indices | None]:
        """The images that hold a split, their labels, and the split's positions in them (None: all).

        Returns:
            Mapped images uint8 (N, 32, 32, 3), labels int64 (N,), positions int64 (M,) or None.
        """
        part: Literal["train", "test"] = "test" if split == "test" else "train"
        positions = {"train": self.train, "val": self.val, "test": None}[split]
        return self.cache.images(part), self.cache.labels(part), positions

    def test_digest(self) -> str:
        """SHA-256 of the test images and their labels, 16 hex digits: whatever there is to train on."""
        sha = hashlib.sha256()
        for array in (self.cache.images("test"), self.cache.labels("test")):
            sha.update(str(array.shape).encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()[:16]


def prepare_data(config: DataConfig) -> DataInfo:
    """Makes a data set ready, doing only what has not been done: download, decode, split, measure.

    Call it once before a sweep; trials then only map what lies in the cache. Looks at the sources every
    time, so changed files are decoded anew. Files of a folder that are left out are logged every time.

    Raises:
        DataError: sources are missing or damaged, more images are asked for than there are, or nothing
            can be written.
    """
    open_data.cache_clear()
    prepared = _prepare(config)
    if prepared.cache.left_out:
        log.warning("%s", prepared.cache.left_out)
    return prepared.info


@functools.lru_cache(maxsize=4)
def open_data(config: DataConfig) -> PreparedData:
    """`prepare_data`, and the images. Looks at the sources once in a process, until `prepare_data` is called.

    A folder of 60,000 files takes most of a second to look at: too much for each of a worker's trials.

    Raises:
        DataError: as `prepare_data`.
    """
    return _prepare(config)


def _prepare(config: DataConfig) -> PreparedData:
    cache = open_cache(config)
    labels = cache.labels("train")
    train, val = _split(config, labels)
    path = cache.folder / f"split-{_split_key(config)}.json"
    if path.is_file():
        info = DataInfo.model_validate_json(path.read_text(encoding="utf-8"))
    else:
        info = _measure(config, cache, train, val)
        # A cache that somebody else filled may be read-only: measuring again next time is all it costs.
        with contextlib.suppress(OSError):
            write_atomically(path, info.model_dump_json(indent=1))
    assert info.split_digest == digest(train, val), "the same seed must draw the same split"
    return PreparedData(info, cache, train, val)


def _split_key(config: DataConfig) -> str:
    drawn_by = json.dumps([config.split_seed, config.train_size, config.val_size])
    return hashlib.sha256(drawn_by.encode()).hexdigest()[:16]


def _split(config: DataConfig, labels: Indices) -> tuple[Indices, Indices]:
    train, val = split_train_val(labels, config.split_seed)
    for field, asked, kind, available in (
        ("train_size", config.train_size or 2, "training", len(train)),
        ("val_size", config.val_size or 1, "validation", len(val)),
    ):
        if asked > available:
            raise DataError(
                f"{field}={asked} is more than the {available} {kind} images of {config.dataset!r} "
                f"({len(labels)} in all, a fifth of them for validation); ask for at most {available}."
            )
    return (
        subset(train, labels, config.train_size, (config.split_seed, 1)),
        subset(val, labels, config.val_size, (config.split_seed, 2)),
    )


def _measure(config: DataConfig, cache: DecodedCache, train: Indices, val: Indices) -> DataInfo:
    mean, std = _channel_statistics(cache.images("train"), train)
    return DataInfo(
        dataset=config.dataset,
        class_names=cache.class_names,
        sizes={"train": len(train), "val": len(val), "test": len(cache.labels("test"))},
        fingerprint=cache.fingerprint,
        split_seed=config.split_seed,
        split_digest=digest(train, val),
        mean=mean,
        std=std,
    )


def _channel_statistics(images: Images, positions: Indices) -> tuple[Triple, Triple]:
    """Mean and standard deviation of each channel, exact: pixel values are counted, not summed as floats."""
    counts = np.zeros((3, 256), dtype=np.int64)
    for chunk in np.array_split(positions, max(1, len(positions) // 1024)):
        pixels = images[chunk].reshape(-1, 3)
        for channel in range(3):
            counts[channel] += np.bincount(pixels[:, channel], minlength=256)
    values = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ values
    deviation = np.sqrt(((values - mean[:, None]) ** 2 * share).sum(axis=1))
    # A constant channel has nothing to be scaled by; 1 leaves it at zero instead of NaN.
    std = np.where(deviation > 0, deviation, 1.0)
    return _triple(mean), _triple(std)


def _triple(values: np.ndarray) -> Triple:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
