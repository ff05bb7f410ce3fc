"""Files of a folder data set that give no image: why each does not, and one line about them all."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import PurePath

from cifar_cnn.files import several, shown
from cifar_cnn.folder_listing import FolderListing
from cifar_cnn.pixels import FORMATS

# In `cat no. 12` there is none.
_SUFFIX = re.compile(r"\.\w{1,10}", re.ASCII)


class Why(Enum):
    """Why a file gives no image."""

    OTHER = auto()  # by name and content it is something else
    SPECIAL = auto()  # a pipe, a socket, a device
    DAMAGED = auto()
    UNREADABLE = auto()  # this time: it may be whole


@dataclasses.dataclass(frozen=True)
class Refused:
    """A file that gives no image; `reason` tells more of a damaged or unreadable one, then what to do.

    Example:
        >>> print(Refused("train/cat/1.png", Why.DAMAGED, "it is cut off; copy it again"))
        train/cat/1.png (it is cut off)
    """

    name: str
    why: Why
    reason: str = ""

    def __str__(self) -> str:
        why, _, _ = self.reason.partition(";")
        return f"{shown(self.name)} ({why})"


def left_out(listing: FolderListing, refused: Sequence[Refused]) -> str:
    """`left out 3 of 90 files in images: 2 .txt, 1 .csv (no images in the formats JPEG, ...)`, or nothing."""
    others = Counter(_kind(each.name) for each in refused if each.why is Why.OTHER)
    special = [shown(each.name) for each in refused if each.why is Why.SPECIAL]
    damaged = [str(each) for each in refused if each.why is Why.DAMAGED]
    loose = [shown(name) for name in listing.loose]
    parts = []
    if others:
        kinds = several([f"{count} {kind}" for kind, count in sorted(others.most_common(), key=_by_count)])
        parts.append(f"{kinds} (no images in the formats {', '.join(FORMATS)})")
    if special:
        parts.append(f"{len(special)} that are no regular files: {several(special)}")
    if damaged:
        parts.append(f"{len(damaged)} that cannot be decoded: {several(damaged)}")
    if loose:
        parts.append(f"{len(loose)} in no class folder: {several(loose)}")
    count = len(refused) + len(loose)
    if not parts:
        return ""
    return f"left out {count} of {listing.total} files in {shown(str(listing.root))}: {'; '.join(parts)}"


def _kind(name: str) -> str:
    suffix = PurePath(name).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else "without a suffix"


def _by_count(kind: tuple[str, int]) -> tuple[int, str]:
    return -kind[1], kind[0]
