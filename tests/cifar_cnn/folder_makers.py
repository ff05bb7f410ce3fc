"""Image folders for tests: two classes of plain images."""

import io
from pathlib import Path

from PIL import Image

from cifar_cnn.config import DataConfig
from cifar_cnn.prepare import prepare_data

CLASSES = ("cat", "dog")
TRAIN, TEST = 10, 3
ALL = len(CLASSES) * (TRAIN + TEST)


def picture(number: int = 0, kind: str = "JPEG") -> bytes:
    """An image file of a plain colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (number * 7 % 256, 90, 30)).save(buffer, kind)
    return buffer.getvalue()


def write_two_classes(root: Path) -> Path:
    """20 training and 6 test images."""
    for split, count in (("train", TRAIN), ("test", TEST)):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                (root / split / name / f"{number:02}.jpg").write_bytes(picture(number))
    return root


def config_of(root: Path, **fields: object) -> DataConfig:
    """Of a folder."""
    return DataConfig(dataset="folder", data_dir=root, **fields)  # type: ignore[arg-type]


def used(root: Path, **fields: object) -> int:
    """Images in all splits."""
    return sum(prepare_data(config_of(root, **fields)).sizes.values())
