"""CIFAR-10 (Krizhevsky, 2009), in its original pickled batches, checked by MD5 before it is opened."""

import hashlib
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifar_cnn.errors import DataError
from cifar_cnn.files import is_writable

Split = tuple[NDArray[np.uint8], NDArray[np.int64]]

log = logging.getLogger(__name__)


def load(data_dir: Path, scratch: Path) -> tuple[Split, Split, Sequence[str]]:
    """Reads CIFAR-10 from `data_dir`, unpacking or downloading it first where needed.

    Args:
        data_dir: holds `cifar-10-batches-py/`, or `cifar-10-python.tar.gz`, or nothing yet. A download is
            kept there, unless it is read-only.
        scratch: a writable folder that the caller removes; the archive is downloaded and unpacked there.

    Returns:
        Train and test, each as images uint8 (N, 32, 32, 3) and labels int64 (N,), and the class names.

    Raises:
        DataError: a file is damaged, or there is neither data nor a network.
    """
    from torchvision.datasets import CIFAR10  # imports torch: seconds

    batches, archive = data_dir / CIFAR10.base_folder, data_dir / CIFAR10.filename
    if _is_whole(CIFAR10, batches):
        root = data_dir
    else:
        if archive.exists():
            _unpack(CIFAR10, archive, scratch)
        else:
            _download(CIFAR10, data_dir, scratch)
        root = scratch
    train, test = (CIFAR10(root, train=train) for train in (True, False))
    return _arrays(train), _arrays(test), train.classes


def _arrays(part: Any) -> Split:
    return part.data, np.asarray(part.targets, dtype=np.int64)


def _is_whole(dataset: Any, batches: Path) -> bool:
    meta = (dataset.meta["filename"], dataset.meta["md5"])
    expected = [*dataset.train_list, *dataset.test_list, meta]
    if not all((batches / name).is_file() for name, _ in expected):
        return False
    for name, md5 in expected:
        _check(batches / name, md5, f"remove {batches} to have it unpacked or downloaded again")
    return True


def _check(path: Path, expected: str, remedy: str) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if digest != expected:
        raise DataError(f"{path} is damaged: its MD5 is {digest}, the original's is {expected}; {remedy}.")


def _unpack(dataset: Any, archive: Path, scratch: Path) -> None:
    from torchvision.datasets.utils import extract_archive

    _check(archive, dataset.tgz_md5, "remove it to have it downloaded again, or put a whole copy there")
    extract_archive(str(archive), str(scratch))


def _download(dataset: Any, data_dir: Path, scratch: Path) -> None:
    log.info("downloading CIFAR-10 (170 MB) from %s", dataset.url)
    try:
        dataset(scratch, download=True)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; RuntimeError: the checksum failed
        raise DataError(
            f"CIFAR-10 is not in {data_dir} and cannot be downloaded ({error}). Either connect to the "
            f"network, or put {dataset.filename} or the unpacked {dataset.base_folder}/ into {data_dir}."
        ) from error
    if is_writable(data_dir):
        # Whole or not at all: between file systems a move is a copy, which a kill cuts short.
        part = data_dir / f"{dataset.filename}.part"
        shutil.move(scratch / dataset.filename, part)
        part.rename(data_dir / dataset.filename)
