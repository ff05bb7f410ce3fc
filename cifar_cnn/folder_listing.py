"""Which files make up a folder data set: all below train/<class>/ and test/<class>/ that are not hidden."""

import contextlib
import dataclasses
import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from cifar_cnn.errors import DataError
from cifar_cnn.files import several, shown

# What file managers, archivers and servers put beside files, with no dot before its name.
_HIDDEN = {"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "icon\r"}

_LAYOUT = "A folder data set has train/<class>/ and test/<class>/ with the images of each class, at any depth"


@dataclasses.dataclass(frozen=True)
class ListedFile:
    """One file: where it lies, what it shows, and what tells whether it has changed.

    Attributes:
        name: its path below the data set's root, as the file system has it.
        label: number of its class.
        size: in bytes.
        mtime_ns: when it was last written.
        fault: why there is nothing to open, as behind a broken link; empty if there is.
        special: whether it is a pipe, a socket or a device, the opening of which might never return.

    Example:
        >>> ListedFile("train/cat/1.png", label=0).fault
        ''
    """

    name: str
    label: int
    size: int = 0
    mtime_ns: int = 0
    fault: str = ""
    special: bool = False


@dataclasses.dataclass(frozen=True)
class FolderListing:
    """Every file of a folder data set, in an order that depends on names alone.

    Attributes:
        root: the folder.
        class_names: by label; of folders' names what cannot be shown is escaped.
        train: files below train/, class by class.
        test: files below test/, likewise.
        loose: names of files directly in train/ or test/, which belong to no class.

    Example:
        >>> for name in ("train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png"):
        ...     file = Path("images") / name
        ...     file.parent.mkdir(parents=True)
        ...     file.touch()
        >>> listing = scan(Path("images"))
        >>> listing.class_names, [file.name for file in listing.train]
        (('cat', 'dog'), ['train/cat/1.png', 'train/dog/2.png'])
    """

    root: Path
    class_names: tuple[str, ...]
    train: tuple[ListedFile, ...]
    test: tuple[ListedFile, ...]
    loose: tuple[str, ...]

    @property
    def total(self) -> int:
        """Number of files, loose ones included."""
        return len(self.train) + len(self.test) + len(self.loose)

    def key(self) -> str:
        """A digest of names, sizes and modification times: 16 hex digits."""
        sha = hashlib.sha256("\0".join(self.class_names).encode())
        for name in (str(self.root.resolve()), *self.loose):
            sha.update(b"\0" + os.fsencode(name))
        for split in (self.train, self.test):
            for file in split:
                about = f"\0{file.label}\0{file.size}\0{file.mtime_ns}\0{bool(file.fault)}{file.special}\n"
                sha.update(os.fsencode(file.name) + about.encode())
            sha.update(b"\0")
        return sha.hexdigest()[:16]


def scan(root: Path) -> FolderListing:
    """Lists a folder data set without opening any file.

    Links are followed. A folder that can be reached in several ways is listed once for a class; links to the
    folder of the split or of the data set are not followed.

    Raises:
        DataError: train/ or test/ is missing or cannot be listed, a class is empty, or the two differ in
            their classes.
    """
    (train, loose_train), (test, loose_test) = (_classes(root, split) for split in ("train", "test"))
    _check_classes(root, set(train), set(test), len(loose_train))
    names = tuple(sorted(train))
    train_files, test_files = (_files(root, [folders[name] for name in names]) for folders in (train, test))
    return FolderListing(root, names, train_files, test_files, (*loose_train, *loose_test))


def _classes(root: Path, split: str) -> tuple[dict[str, str], list[str]]:
    """The class folders of a split by the names of their classes, and the files beside them."""
    place = shown(str(root / split))
    if not (root / split).is_dir():
        raise DataError(
            f"{place} does not exist. {_LAYOUT}; point data_dir at the folder that holds train/ and test/."
        )
    folders, loose = _entries(root, split)
    classes: dict[str, str] = {}
    for folder in folders:
        # A Mac may have spelt an accent in the one as a letter of its own, and another system not.
        name = shown(unicodedata.normalize("NFC", os.path.basename(folder)))
        if name in classes:
            raise DataError(f"{place} has two folders for the class {name!r}; put their files into one.")
        classes[name] = folder
    return classes, loose


def _check_classes(root: Path, train: set[str], test: set[str], loose: int) -> None:
    place = shown(str(root))
    if len(train) < 2:
        files = f", and {loose} files that are in none" if loose else ""
        raise DataError(
            f"{place}/train has {len(train)} class folders{files}; a classifier needs at least 2. {_LAYOUT}."
        )
    for have, lack, extra in (("test", "train", test - train), ("train", "test", train - test)):
        if extra:
            raise DataError(
                f"{place}/{have} has classes that {lack}/ lacks: {several(sorted(extra))}. Both need the "
                "same class folders; add them there, or remove them here."
            )


def _files(root: Path, folders: Sequence[str]) -> tuple[ListedFile, ...]:
    """The files of each class, by label."""
    files: list[ListedFile] = []
    for label, folder in enumerate(folders):
        # As with classes: the order must not depend on how a file system spells accents.
        names = sorted(_below(root, folder), key=lambda name: (unicodedata.normalize("NFC", name), name))
        files += [_listed(root, name, label) for name in names]
    if empty := sorted(set(folders) - {folders[file.label] for file in files}):
        named = several([shown(folder) for folder in empty])
        raise DataError(
            f"{shown(str(root))} has class folders without files: {named} (hidden ones do not count); add "
            "some, or remove the class from train/ and test/."
        )
    return tuple(files)


def _below(root: Path, folder: str) -> Iterator[str]:
    # Links to what the class lies in would give it the images of the others, or of the other split.
    seen = {_identity(root), _identity(root / os.path.dirname(folder))}
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        with _one_line(root, place):
            identity = _identity(root / place)
        if identity in seen:
            continue
        seen.add(identity)
        folders, files = _entries(root, place)
        yield from files
        waiting += reversed(folders)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _entries(root: Path, folder: str) -> tuple[list[str], list[str]]:
    """Folders and files in a folder that are not hidden, each sorted."""
    folders: list[str] = []
    files: list[str] = []
    with _one_line(root, folder), os.scandir(os.path.join(root, folder)) as entries:
        for entry in entries:
            if not _is_hidden(entry.name):
                (folders if _is_folder(entry) else files).append(f"{folder}/{entry.name}")
    return sorted(folders), sorted(files)


@contextlib.contextmanager
def _one_line(root: Path, folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{shown(os.path.join(root, folder))} cannot be listed ({error.strerror}); make it readable, or "
            "remove it."
        ) from error


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _HIDDEN


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that cannot be followed, which is told with the files
        return False


def _listed(root: Path, name: str, label: int) -> ListedFile:
    try:
        status = os.stat(os.path.join(root, name))
    except OSError as error:
        return ListedFile(name, label, fault=f"a link that leads nowhere: {error.strerror}")
    special = not stat.S_ISREG(status.st_mode)
    return ListedFile(name, label, status.st_size, status.st_mtime_ns, special=special)
