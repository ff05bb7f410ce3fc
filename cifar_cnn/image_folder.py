"""A folder of image files as a data set: train/<class>/*.jpg|jpeg|png and test/<class>/..."""

import dataclasses
import hashlib
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifar_cnn.config import IMAGE_SIZE
from cifar_cnn.cores import usable_cores
from cifar_cnn.errors import DataError
from cifar_cnn.pixels import ImageTooLarge, NotAnImage, decode_image

SUFFIXES = (".jpg", ".jpeg", ".png")

_CHUNK = 256
"""Images decoded by one task of the thread pool: few enough tasks that handing them out costs nothing."""


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """One image: where it lies, what it shows, and what tells whether it has changed."""

    path: Path
    label: int
    size: int
    mtime_ns: int


@dataclasses.dataclass(frozen=True)
class FolderFiles:
    """Every image file of a folder data set, in an order that depends on names alone."""

    root: Path
    class_names: tuple[str, ...]
    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]

    def key(self) -> str:
        """A digest of names, sizes and modification times: 16 hex digits."""
        sha = hashlib.sha256("\0".join((str(self.root.resolve()), *self.class_names)).encode())
        for split in (self.train, self.test):
            for file in split:
                sha.update(f"{file.label}/{file.path.name}\0{file.size}\0{file.mtime_ns}\n".encode())
            sha.update(b"\0")
        return sha.hexdigest()[:16]


def scan(root: Path) -> FolderFiles:
    """Lists a folder data set without opening any image.

    Raises:
        DataError: train/ or test/ is missing, a class is empty, or test/ has a class that train/ lacks.
    """
    names = tuple(_class_folders(root, "train"))
    if len(names) < 2:
        raise DataError(f"{root / 'train'} has {len(names)} class folders; a classifier needs at least 2.")
    if extra := set(_class_folders(root, "test")) - set(names):
        raise DataError(
            f"{root / 'test'} has classes that {root / 'train'} lacks: {', '.join(sorted(extra))}. "
            f"Both need the same class folders: {', '.join(names)}."
        )
    train, test = (_images(root / split, names) for split in ("train", "test"))
    return FolderFiles(root, names, train, test)


def _class_folders(root: Path, split: str) -> list[str]:
    if not (root / split).is_dir():
        raise DataError(
            f"{root / split} does not exist. A folder data set has train/<class>/ and test/<class>/ with "
            f"{', '.join(SUFFIXES)} files; point data_dir at the folder that holds train/ and test/."
        )
    with os.scandir(root / split) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _images(folder: Path, names: tuple[str, ...]) -> tuple[ImageFile, ...]:
    files: list[ImageFile] = []
    for label, name in enumerate(names):
        of_class = _images_of_class(folder / name, label) if (folder / name).is_dir() else []
        if not of_class:
            raise DataError(
                f"{folder / name} has no {', '.join(SUFFIXES)} files; add some or remove the class."
            )
        files += of_class
    return tuple(files)


def _images_of_class(folder: Path, label: int) -> list[ImageFile]:
    with os.scandir(folder) as entries:
        images = [entry for entry in entries if entry.name.lower().endswith(SUFFIXES) and entry.is_file()]
    stats = ((entry, entry.stat()) for entry in sorted(images, key=lambda entry: entry.name))
    return [ImageFile(folder / entry.name, label, stat.st_size, stat.st_mtime_ns) for entry, stat in stats]


def decode(files: tuple[ImageFile, ...]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Decodes images in parallel threads, each as `decode_image` does.

    Returns:
        Images uint8 (N, 32, 32, 3) and labels int64 (N,), in the order of `files`.

    Raises:
        DataError: a file is no readable image; names the file.
    """
    images = np.empty((len(files), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)

    def decode_chunk(start: int) -> None:
        for position, file in enumerate(itertools.islice(files, start, start + _CHUNK), start):
            images[position] = _decode_one(file.path)

    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            list(pool.map(decode_chunk, range(0, len(files), _CHUNK)))
        except DataError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return images, np.array([file.label for file in files], dtype=np.int64)


def _decode_one(path: Path) -> NDArray[np.uint8]:
    try:
        return decode_image(path.read_bytes())
    except (OSError, NotAnImage, ImageTooLarge) as error:
        raise DataError(f"{path} is not a readable image ({error}); replace or remove it.") from error
