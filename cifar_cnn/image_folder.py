"""A folder of image files as a data set: every image below train/<class>/ and test/<class>/."""

import itertools
import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cifar_cnn.config import IMAGE_SIZE
from cifar_cnn.cores import usable_cores
from cifar_cnn.errors import DamagedImages, DataError
from cifar_cnn.files import several, shown
from cifar_cnn.folder_listing import FolderListing, ListedFile, scan
from cifar_cnn.left_out import Refused, Why, left_out
from cifar_cnn.pixels import ImageTooLarge, NotAnImage, decode_image, is_image, suffixes

Part: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images uint8 (N, 32, 32, 3) and labels int64 (N,)."""

log = logging.getLogger(__name__)

_CHUNK = 256
"""Images decoded by one task of the thread pool: few enough tasks that handing them out costs nothing."""


def load(root: Path, *, skip_damaged: bool) -> tuple[Part, Part, tuple[str, ...], str]:
    """Reads every image of a folder data set, each as `decode_image` does, whatever its name.

    An image is known by its suffix or its content. Other files are left out and counted.

    Args:
        root: holds train/ and test/.
        skip_damaged: leave images out that cannot be decoded, instead of refusing them.

    Returns:
        Train and test, the class names, and a line that says what was left out; empty if nothing was.

    Raises:
        DamagedImages: some cannot be decoded, and they are not to be skipped.
        DataError: as `scan`; a file cannot be read; a class has no image.
    """
    listing = scan(root)
    log.info("decoding %d files of %s, once", len(listing.train) + len(listing.test), root)
    images, refused = _decode(root, (*listing.train, *listing.test))
    _check_readable(listing, list(refused.values()), skip_damaged)
    note = left_out(listing, list(refused.values()))
    split = len(listing.train)
    train = _kept(images[:split], listing.train, [position not in refused for position in range(split)])
    rest = range(split, len(images))
    test = _kept(images[split:], listing.test, [position not in refused for position in rest])
    for name, (_, labels) in (("train", train), ("test", test)):
        _check_classes(listing, name, labels, note)
    return train, test, listing.class_names, note


def _decode(root: Path, files: Sequence[ListedFile]) -> tuple[NDArray[np.uint8], dict[int, Refused]]:
    """Decodes in parallel threads; at the positions of files that are refused there is no image."""
    images = np.empty((len(files), IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    refused: dict[int, Refused] = {}
    suffixes()  # Pillow loads its formats, once and not in every thread

    def decode_chunk(start: int) -> None:
        for position, file in enumerate(itertools.islice(files, start, start + _CHUNK), start):
            decoded = _decode_one(root, file)
            if isinstance(decoded, Refused):
                refused[position] = decoded
            else:
                images[position] = decoded

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(decode_chunk, range(0, len(files), _CHUNK)))
    return images, dict(sorted(refused.items()))


def _decode_one(root: Path, file: ListedFile) -> NDArray[np.uint8] | Refused:
    if file.special:
        return Refused(file.name, Why.SPECIAL)
    if file.fault:
        return Refused(file.name, Why.DAMAGED, file.fault)
    try:
        with open(os.path.join(root, file.name), "rb") as opened:
            if os.path.splitext(file.name)[1].lower() not in suffixes() and not is_image(opened):
                return Refused(file.name, Why.OTHER)
            opened.seek(0)
            return decode_image(opened.read())
    except OSError as error:
        return Refused(file.name, Why.UNREADABLE, error.strerror or str(error))
    except (NotAnImage, ImageTooLarge, MemoryError) as error:
        # An image that memory is too short for today would be part of the data tomorrow.
        if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
            return Refused(file.name, Why.UNREADABLE, "memory is too short for it")
        return Refused(file.name, Why.DAMAGED, str(error))


def _check_readable(listing: FolderListing, refused: Sequence[Refused], skip_damaged: bool) -> None:
    unreadable = [each for each in refused if each.why is Why.UNREADABLE]
    if unreadable:
        raise DataError(f"{_named(listing, unreadable)}; make that readable, or remove it.")
    damaged = [each for each in refused if each.why is Why.DAMAGED]
    if damaged and not skip_damaged:
        them = "it" if len(damaged) == 1 else "them"
        raise DamagedImages(f"{_named(listing, damaged)}; replace or remove {them}.")


def _named(listing: FolderListing, refused: Sequence[Refused]) -> str:
    root = shown(str(listing.root))
    if len(refused) == 1:
        return f"{root}/{shown(refused[0].name)} is not a readable image ({refused[0].reason})"
    names = several([str(each) for each in refused])
    return f"{len(refused)} of {listing.total} files in {root} are not readable images: {names}"


def _kept(images: NDArray[np.uint8], files: Sequence[ListedFile], keep: Sequence[bool]) -> Part:
    labels = np.array([file.label for file in files], dtype=np.int64)
    return (images, labels) if all(keep) else (images[np.array(keep)], labels[np.array(keep)])


def _check_classes(listing: FolderListing, split: str, labels: NDArray[np.int64], note: str) -> None:
    counts = np.bincount(labels, minlength=len(listing.class_names))
    empty = [name for name, count in zip(listing.class_names, counts, strict=True) if not count]
    if empty:
        place = shown(str(listing.root / split))
        raise DataError(
            f"{place} has no image of {several(empty)} ({note}); add some of each, or remove the class from "
            "train/ and test/."
        )
