"""Image folders as they come: every file is used, hidden, or told of, whatever its name and place."""

import logging
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from folder_makers import ALL, TRAIN, config_of, picture, used

from cifar_cnn.errors import DamagedImages, DataError
from cifar_cnn.pixels import FORMATS
from cifar_cnn.prepare import open_data, prepare_data


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ["new.{}", "NEW.{}", "new", "new.dat", "new.{}?size=large", "ab12cd.x.y"])
def test_every_format_is_used_by_its_content(images: Path, kind: str, name: str) -> None:
    suffix = kind.lower() if name.islower() else kind
    (images / "train" / "cat" / name.format(suffix)).write_bytes(picture(kind=kind))
    assert used(images) == ALL + 1


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "jpg", "png", "tif", "pgm"])
def test_a_suffix_need_not_tell_the_format(images: Path, suffix: str) -> None:
    for kind in ("JPEG", "WEBP"):
        (images / "train" / "cat" / f"{kind}.{suffix}").write_bytes(picture(kind=kind))
    assert used(images) == ALL + 2


NAMES = [
    "with space.jpg",
    "two  spaces .jpg",
    "new\nline.jpg",
    "-rf.jpg",
    "--help",
    "tab\t\x1b[31m.jpg",
    "quote'\"`$(x).jpg",
    "back\\slash.jpg",
    "*?.jpg",
    "n" * 251 + ".jpg",
    "ümlaut.jpg",
    "猫.jpg",
    "\udce9t\udce9.jpg",  # Latin-1 on a file system of bytes
    "caf\udce9",
    "%s %d {0}.jpg",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name(images: Path, name: str) -> None:
    try:
        (images / "train" / "cat" / name).write_bytes(picture())
    except OSError as error:
        pytest.skip(f"no such name here: {error}")
    assert used(images) == ALL + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_of_any_name_is_told_in_one_line_that_can_be_shown(images: Path, name: str) -> None:
    try:
        (images / "train" / "cat" / name).write_bytes(b"\xff\xd8\xff damaged")
    except OSError as error:
        pytest.skip(f"no such name here: {error}")
    with pytest.raises(DataError) as told:
        prepare_data(config_of(images))
    message = str(told.value)
    message.encode()
    assert not set(message) & set("\n\r\t\x1b")


@pytest.mark.parametrize(
    "folder", ["persian", "a/b/c/d", "with space/new\nline", "n" * 255, "/".join("d" * 300)]
)
def test_a_file_may_lie_at_any_depth(images: Path, folder: str) -> None:
    place = images / "train" / "cat" / folder
    place.mkdir(parents=True)
    (place / "00.jpg").write_bytes(picture(20))
    (place / "01.jpg").write_bytes(picture(21))
    data = open_data(config_of(images))
    assert sum(data.info.sizes.values()) == ALL + 2
    assert np.bincount(data.arrays("train")[1]).tolist() == [TRAIN + 2, TRAIN]


def test_a_class_may_be_sorted_into_folders_alone(images: Path) -> None:
    (images / "train" / "cat").rename(images / "train" / "persian")
    (images / "train" / "cat").mkdir()
    (images / "train" / "persian").rename(images / "train" / "cat" / "persian")
    assert used(images) == ALL


@pytest.mark.parametrize("name", ["caf\udce9", "two\nlines", "ümlaut", "-rf"])
def test_a_class_may_have_any_name_and_is_called_by_one_that_can_be_written(images: Path, name: str) -> None:
    for split in ("train", "test"):
        (images / split / "dog").rename(images / split / name)
    info = prepare_data(config_of(images))
    (called,) = set(info.class_names) - {"cat"}
    called.encode()
    assert "\n" not in called
    assert prepare_data(config_of(images)) == info, "read back from its cache"


def test_accents_spelt_by_a_mac_make_no_other_class_or_order(images: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    for split in ("train", "test"):
        folder = (images / split / "cat").rename(images / split / f"chat{composed}")
        (folder / "00.jpg").rename(folder / f"{composed}.jpg")
        (folder / "01.jpg").rename(folder / "f.jpg")  # sorts between the two spellings
    here = prepare_data(config_of(images))
    for split in ("train", "test"):
        folder = images / split / f"chat{composed}"
        (folder / f"{composed}.jpg").rename(folder / f"{decomposed}.jpg")
    folder.rename(images / "test" / f"chat{decomposed}")
    assert prepare_data(config_of(images)) == here


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_is_hidden_is_passed_over_without_a_word(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = prepare_data(config_of(images))
    for split in ("train", "test"):
        for folder in (images / split, images / split / "cat"):
            for name in ("._00.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.jpg"):
                (folder / name).write_bytes(bytes.fromhex("00051607") + bytes(100))
            for name in (".cache", "__MACOSX", "@eaDir", ".ipynb_checkpoints"):
                (folder / name).mkdir()
                (folder / name / "00.jpg").write_bytes(picture())
    assert prepare_data(config_of(images)) == before
    assert warnings(caplog) == []


def test_other_files_are_counted_by_what_they_are_each_time(
    images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fingerprint = prepare_data(config_of(images)).fingerprint
    for name in ("a.txt", "b.TXT", "labels.csv", "LICENSE", "photo.heic", "cat no. 12"):
        (images / "train" / "cat" / name).write_bytes(b"something else")
    (images / "train" / "README.md").write_text("in no class")
    (images / "test" / "cat" / "empty").touch()
    told = (
        f"left out 8 of {ALL + 8} files in {images}: 3 without a suffix, 2 .txt, 1 .csv, 1 .heic (no images "
        "in the formats JPEG, PNG, GIF, WEBP, BMP, TIFF, PPM); 1 in no class folder: train/README.md"
    )
    for _ in range(2):  # decoded, and read from the cache
        caplog.clear()
        assert prepare_data(config_of(images)).fingerprint == fingerprint
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
            told
        ]


def test_a_pipe_is_not_waited_for(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(images / "train" / "cat" / "pipe.jpg")
    assert used(images) == ALL
    assert "1 that are no regular files: train/cat/pipe.jpg" in caplog.text


def test_a_large_file_that_is_no_image_is_not_read(images: Path) -> None:
    with (images / "train" / "cat" / "film.mp4").open("wb") as file:
        file.truncate(10**12)  # takes no room
    assert used(images) == ALL


def test_links_are_followed_and_circles_are_not(images: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for number in range(3):
        (elsewhere / f"{number}.jpg").write_bytes(picture(50 + number))
    cat = images / "train" / "cat"
    (cat / "more").symlink_to(elsewhere)
    (cat / "again").symlink_to(elsewhere)  # the same three images, not three more
    (cat / "one.jpg").symlink_to(elsewhere / "0.jpg")
    (cat / "up").symlink_to(cat)
    (elsewhere / "root").symlink_to(cat)
    assert used(images) == ALL + 4


def test_folders_that_link_to_each_other_are_listed_in_a_moment(images: Path) -> None:
    folders = [images / "train" / "cat" / f"{number:02}" for number in range(12)]
    for folder in folders:
        folder.mkdir()
        (folder / "a.jpg").write_bytes(picture())
    for folder in folders:
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    assert used(images) == ALL + len(folders)


@pytest.mark.parametrize("above", ["..", "../.."])
def test_a_link_to_what_a_class_lies_in_gives_it_no_others_images(images: Path, above: str) -> None:
    (images / "train" / "cat" / "up").symlink_to(above)
    (images / "test" / "dog" / "up").symlink_to(above)
    assert used(images) == ALL


def test_a_class_folder_may_be_a_link(images: Path, tmp_path: Path) -> None:
    (images / "train" / "dog").rename(tmp_path / "dogs")
    (images / "train" / "dog").symlink_to(tmp_path / "dogs")
    assert used(images) == ALL


@pytest.mark.parametrize("target", ["nowhere.jpg", "broken.jpg"], ids=["broken", "to itself"])
def test_a_link_that_leads_nowhere_is_a_damaged_image(images: Path, target: str) -> None:
    (images / "train" / "cat" / "broken.jpg").symlink_to(images / "train" / "cat" / target)
    with pytest.raises(DamagedImages, match=r"train/cat/broken\.jpg is not .*a link that leads nowhere"):
        prepare_data(config_of(images))
    assert used(images, skip_damaged=True) == ALL
