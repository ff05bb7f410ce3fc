"""What is wrong with a folder of images is told at once, and what changes in it is noticed."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from folder_makers import ALL, config_of, picture

from cifar_cnn import cache
from cifar_cnn.config import DataConfig
from cifar_cnn.errors import DamagedImages, DataError
from cifar_cnn.folder_listing import scan
from cifar_cnn.prepare import prepare_data


def damage(images: Path, count: int) -> None:
    for number in range(count):
        (images / "train" / ("cat", "dog")[number % 2] / f"bad{number:02}.jpg").write_bytes(b"damaged")


def test_all_damaged_files_are_named_at_once(images: Path) -> None:
    damage(images, 3)
    (images / "test" / "dog" / "01.jpg").write_bytes(picture()[:-300])
    with pytest.raises(
        DamagedImages, match=f"^4 of {ALL + 3} files in {images} are not readable images: "
    ) as told:
        prepare_data(config_of(images))
    for name in ("train/cat/bad00.jpg", "train/dog/bad01.jpg", "train/cat/bad02.jpg", "test/dog/01.jpg"):
        assert f"{name} (" in str(told.value)


def test_of_many_damaged_files_ten_are_named_and_the_rest_counted(images: Path) -> None:
    damage(images, 14)
    with pytest.raises(DamagedImages, match=r"^14 of .* and 4 more; replace or remove them\.$") as told:
        prepare_data(config_of(images))
    assert str(told.value).count("bad") == 10


def test_skipping_leaves_damaged_files_out_and_names_them(
    images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = prepare_data(config_of(images)).fingerprint
    damage(images, 12)
    for _ in range(2):
        caplog.clear()
        info = prepare_data(config_of(images, skip_damaged=True))
        assert (sum(info.sizes.values()), info.fingerprint) == (ALL, whole)
        assert f"left out 12 of {ALL + 12} files" in caplog.text
        assert "12 that cannot be decoded: train/cat/bad00.jpg (no image" in caplog.text
        assert " and 2 more" in caplog.text
    with pytest.raises(DamagedImages):
        prepare_data(config_of(images))


def test_skipping_changes_nothing_of_whole_images(images: Path) -> None:
    assert prepare_data(config_of(images, skip_damaged=True)) == prepare_data(config_of(images))


def test_a_file_that_cannot_be_read_this_time_is_not_skipped(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(data: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("cifar_cnn.pixels._load", no_room)
    with pytest.raises(
        DataError, match=f"^{ALL} of {ALL} files .*memory is too short .*; make that "
    ) as told:
        prepare_data(config_of(images, skip_damaged=True))
    assert not isinstance(told.value, DamagedImages)


def test_only_a_folders_images_can_be_skipped() -> None:
    with pytest.raises(ValueError, match="only the images of a 'folder'"):
        DataConfig(dataset="digits", skip_damaged=True)


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def only(root: Path, content: bytes, suffix: str) -> None:
    empty(root / "train" / "dog")
    for number in range(10):
        (root / "train" / "dog" / f"{number}{suffix}").write_bytes(content)


def without(place: str) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root / place)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda root: shutil.rmtree(root / "test"),
            r"images/test does not exist.*point data_dir at the folder",
        ),
        (
            lambda root: shutil.rmtree(root / "test" / "dog"),
            r"train has classes that test/ lacks: dog\. .*add them",
        ),
        (
            lambda root: shutil.rmtree(root / "train" / "dog"),
            r"train has 1 class folders; a classifier needs .* 2",
        ),
        (lambda root: (root / "test" / "yak").mkdir(), r"test has classes that train/ lacks: yak\. "),
        (lambda root: empty(root / "train" / "dog"), r"class folders without files: train/dog \(hidden"),
        (lambda root: empty(root / "test" / "cat"), r"class folders without files: test/cat \(hidden"),
        (
            lambda root: only(root, b"something else", ".heic"),
            r"train has no image of dog \(left out 10 of 26 .* 10 \.heic \(no images.*\); add some",
        ),
    ],
)
def test_a_wrong_layout_is_told_in_one_line(images: Path, change: Callable[[Path], None], why: str) -> None:
    change(images)
    with pytest.raises(DataError, match=why) as told:
        prepare_data(config_of(images))
    assert "\n" not in str(told.value)


def test_a_class_of_damaged_images_alone_cannot_be_skipped(images: Path) -> None:
    only(images, b"damaged", ".jpg")
    with pytest.raises(DataError, match=r"train has no image of dog \(left out 10 .* add some of each"):
        prepare_data(config_of(images, skip_damaged=True))


def test_images_in_no_class_folder_are_told(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for number in range(3):
            (tmp_path / split / f"{number}.jpg").write_bytes(picture())
    with pytest.raises(
        DataError, match=r"train has 0 class folders, and 3 files that are in none; .*train/<class>/"
    ):
        prepare_data(config_of(tmp_path))


def test_one_class_spelt_in_two_ways_is_refused(images: Path) -> None:
    for form in ("NFC", "NFD"):
        (images / "train" / unicodedata.normalize(form, "café")).mkdir(exist_ok=True)
    if len(list((images / "train").iterdir())) < 4:
        pytest.skip("one name to this file system")
    with pytest.raises(DataError, match="two folders for the class 'café'; put their files into one"):
        prepare_data(config_of(images))


def change_bytes(root: Path) -> None:
    (root / "train" / "cat" / "00.jpg").write_bytes(picture(33))


def rename_one(root: Path) -> None:
    (root / "train" / "cat" / "00.jpg").rename(root / "train" / "cat" / "99.jpg")


def rename_folder(root: Path) -> None:
    (root / "train" / "cat" / "deep").rename(root / "train" / "cat" / "zzz")


def add_one(root: Path) -> None:
    (root / "train" / "cat" / "deep" / "new").write_bytes(picture(34))


def move_to_another_class(root: Path) -> None:
    (root / "train" / "cat" / "00.jpg").rename(root / "train" / "dog" / "88.jpg")


@pytest.mark.parametrize("change", [change_bytes, rename_one, rename_folder, add_one, move_to_another_class])
def test_any_change_is_noticed(images: Path, change: Callable[[Path], None]) -> None:
    (images / "train" / "cat" / "deep").mkdir()
    (images / "train" / "cat" / "deep" / "one.jpg").write_bytes(picture(30))
    before = scan(images).key()
    assert scan(images).key() == before
    prepare_data(config_of(images))
    change(images)
    assert scan(images).key() != before
    fresh = prepare_data(config_of(images, cache_dir=images.parent / "fresh"))
    assert prepare_data(config_of(images)) == fresh


def test_the_order_does_not_depend_on_the_file_system(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (images / "train" / "cat" / "deep").mkdir()
    (images / "train" / "cat" / "deep" / "one.jpg").write_bytes(picture(30))
    (images / "train" / "cat" / "Upper.jpg").write_bytes(picture(31))
    before, found = prepare_data(config_of(images)), os.scandir

    class Backwards:
        """What another file system lists first, this one lists last."""

        def __init__(self, folder: str) -> None:
            with found(folder) as entries:
                self._entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self._entries

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("cifar_cnn.folder_listing.os.scandir", Backwards)
    decoded: list[object] = []
    original = cache.decode
    monkeypatch.setattr(cache, "decode", lambda *args: decoded.append(args) or original(*args))
    assert prepare_data(config_of(images, cache_dir=images.parent / "other")) == before
    assert decoded, "decoded anew, not read from the first cache"
