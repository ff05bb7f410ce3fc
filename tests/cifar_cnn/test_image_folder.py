"""What is particular to folders of images: layout, formats, damage and change."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifar_cnn.config import DataConfig
from cifar_cnn.errors import DataError
from cifar_cnn.pixels import decode_image
from cifar_cnn.prepare import open_data, prepare_data


def folder_config(root: Path) -> DataConfig:
    return DataConfig(dataset="folder", data_dir=root)


def test_folder_keeps_classes_and_scales(image_folder: Path) -> None:
    data = open_data(folder_config(image_folder))
    assert data.info.class_names == ("cat", "dog", "owl")
    images, labels, _ = data.arrays("train")
    # The images of class c have values from 80 c on.
    assert np.array_equal(images.mean(axis=(1, 2, 3)) // 80, labels)


@pytest.mark.parametrize("change", ["replace", "add", "remove"])
def test_folder_that_changed_is_decoded_anew(image_folder: Path, change: str) -> None:
    before = prepare_data(folder_config(image_folder))
    path = image_folder / "train" / "cat" / "0001.png"
    if change == "remove":
        path.unlink()
    else:
        target = path if change == "replace" else path.with_name("9999.png")
        Image.new("RGB", (32, 32), (1, 2, 3)).save(target)
    after = prepare_data(folder_config(image_folder))
    assert after.fingerprint != before.fingerprint
    assert (
        sum(after.sizes.values()) - sum(before.sizes.values())
        == {"replace": 0, "add": 1, "remove": -1}[change]
    )


@pytest.mark.parametrize("content", [b"", b"not an image", None], ids=["empty", "text", "truncated"])
def test_corrupt_image_is_named(image_folder: Path, content: bytes | None) -> None:
    path = image_folder / "test" / "owl" / "0002.JPEG"
    path.write_bytes(path.read_bytes()[:-300] if content is None else content)
    with pytest.raises(DataError, match=r"owl/0002\.JPEG is not a readable image") as caught:
        prepare_data(folder_config(image_folder))
    assert "\n" not in str(caught.value)
    assert not list(image_folder.rglob("*.part")), "left something half-made"


def test_grey_palette_and_transparent_images_become_rgb(image_folder: Path) -> None:
    for mode in ("L", "P", "RGBA", "1"):
        Image.new(mode, (50, 30)).save(image_folder / "train" / "cat" / f"mode-{mode}.png")
    assert prepare_data(folder_config(image_folder)).sizes["train"] > 48


def test_training_and_serving_see_the_same_pixels(image_folder: Path) -> None:
    generator = np.random.default_rng(0)
    colours = generator.integers(0, 256, (60, 100, 4), dtype=np.uint8)
    grey = generator.integers(0, 65536, (70, 40), dtype=np.uint16)
    for path in (image_folder / "test" / "cat").iterdir():
        path.unlink()
    paths = [image_folder / "test" / "cat" / name for name in ("0.png", "1.png")]
    for path, pixels in zip(paths, (colours, grey), strict=True):
        Image.fromarray(pixels).save(path)
    images, labels, _ = open_data(folder_config(image_folder)).arrays("test")
    served = [decode_image(path.read_bytes()) for path in paths]
    assert np.array_equal(images[labels == 0], served)


def test_camera_orientation_is_applied(image_folder: Path) -> None:
    for path in (image_folder / "test" / "cat").iterdir():
        path.unlink()
    upright = np.zeros((32, 32, 3), dtype=np.uint8)
    upright[:16] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    stored = Image.fromarray(np.rot90(upright).copy())
    stored.save(image_folder / "test" / "cat" / "a.png", exif=exif)
    images, labels, _ = open_data(folder_config(image_folder)).arrays("test")
    assert np.array_equal(images[labels == 0][0], upright)


def test_layout_errors_name_the_folder(image_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere/train does not exist.*train/<class>/"):
        prepare_data(folder_config(tmp_path / "nowhere"))
    (image_folder / "test" / "yak").mkdir()
    with pytest.raises(DataError, match=r"lacks: yak"):
        prepare_data(folder_config(image_folder))
    (image_folder / "test" / "yak").rmdir()
    shutil.rmtree(image_folder / "test" / "dog")
    with pytest.raises(DataError, match=r"train has classes that test/ lacks: dog"):
        prepare_data(folder_config(image_folder))
    shutil.rmtree(image_folder / "train" / "dog")
    shutil.rmtree(image_folder / "train" / "owl")
    with pytest.raises(DataError, match=r"train has 1 class folders; a classifier needs at least 2"):
        prepare_data(folder_config(image_folder))


def test_decompression_bomb_is_an_error_not_a_crash(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "png")
    (image_folder / "train" / "cat" / "0001.png").write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"not readable images: train/cat/0000\.jpg"):
        prepare_data(folder_config(image_folder))
