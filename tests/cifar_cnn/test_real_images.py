"""CIFAR-10 (JPEG) itself, a few hundred images of it, where the archive is at hand."""

import tarfile
from collections import Counter
from pathlib import Path

import pytest
from trainings import fit

from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.prepare import prepare_data

ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "cifar10-jpeg.tar.xz"
CLASSES = ("airplane", "automobile")
TRAIN, TEST = 400, 50


def extract_some(target: Path) -> None:
    """The first images of the first two classes; all of the rest would have to be unpacked to be skipped."""
    found: Counter[str] = Counter()
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            name = Path(member.name).parent.name
            if not member.isfile() or found[name] == TRAIN + TEST:
                continue
            found[name] += 1
            # The archive's test images come last: a few of its training images stand in for them.
            split = "train" if found[name] <= TRAIN else "test"
            member.name = f"{split}/{name}/{Path(member.name).name}"
            archive.extract(member, target, filter="data")
            if all(found[name] == TRAIN + TEST for name in CLASSES):
                return


@pytest.mark.skipif(
    not ARCHIVE.is_file(), reason=f"needs the real images of {ARCHIVE.name} in ../shared/data"
)
def test_tells_planes_from_cars(tmp_path: Path) -> None:
    extract_some(tmp_path / "real")
    data = DataConfig(dataset="folder", data_dir=tmp_path / "real")
    info = prepare_data(data)
    assert info.class_names == CLASSES
    assert info.sizes == {"train": 640, "val": 160, "test": 100}
    assert all(0.2 < mean < 0.7 for mean in info.mean)
    config = TrainConfig(depth=2, width=8, head_width=32, max_epochs=4, batch_size=32)
    assert fit(config, data).metrics["val_acc"] > 0.75
