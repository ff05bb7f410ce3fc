"""Where a sweep's things lie: made absolute when the sweep is made, so that all commands mean the same place.

In a sweep's file a place that lies in the sweeps folder is written relative to the sweep's own folder: the
whole can be moved.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

# `sqlite:///path?query`, SQLite's own `file:path` in it or not; and MLflow's `file:path`.
_LOCAL_URL = re.compile(
    r"(?P<scheme>sqlite(?:\+\w+)?:///(?:file:)?|file:(?!//))(?P<path>[^?]+)(?P<query>\?.*)?"
)
_FILE_URL = re.compile(r"(?P<scheme>file://)(?P<path>/[^?]*)(?P<query>)")
_NO_FOLDERS = ("databricks", "databricks-uc", "uc")  # tracking stores by one word


def absolute(path: Path, base: Path | None = None) -> Path:
    """A path from a folder on, by default the current one, without `..` in it."""
    return Path(os.path.abspath(path if base is None else base / path))


def absolute_url(url: str, base: Path | None = None) -> str:
    """A URL whose file is named from a folder on; one that names no local file as it is."""
    return _changed(url, lambda path: absolute(path, base))


def absolute_place(place: str, base: Path | None = None) -> str:
    """A folder or URL, likewise."""
    return str(absolute(Path(place), base)) if _is_folder(place) else absolute_url(place, base)


def relative_place(place: str, root: Path, folder: Path) -> str:
    """An absolute place, if it lies below `root`, as it is seen from `folder`; else as it is."""

    def seen(path: Path) -> Path:
        return Path(os.path.relpath(path, folder)) if path.is_relative_to(root) else path

    if _is_folder(place):
        return str(seen(Path(place))) if Path(place).is_absolute() else place
    return _changed(place, seen)


def sqlite_file(url: str) -> Path | None:
    """The absolute path of a SQLite URL's file, None for any other URL and for a database in memory."""
    return local_path(url) if url.startswith("sqlite") else None


def local_path(place: str) -> Path | None:
    """The absolute path of a place on this machine, None for any other and for a database in memory."""
    if _is_folder(place):
        return absolute(Path(place))
    match = _local(place)
    return None if match is None else absolute(Path(match["path"]))


def sweeps_root(sweeps_dir: Path, kind: str) -> Path:
    """The folder of the sweeps; those that confirm or retrain lie two folders below, in their sweep's own."""
    return sweeps_dir if kind == "sweep" else sweeps_dir.parent.parent


def _is_folder(place: str) -> bool:
    return "://" not in place and not place.startswith("file:") and place not in _NO_FOLDERS


def _changed(url: str, change: Callable[[Path], Path]) -> str:
    match = _local(url)
    return url if match is None else f"{match['scheme']}{change(Path(match['path']))}{match['query'] or ''}"


def _local(url: str) -> re.Match[str] | None:
    match = _LOCAL_URL.fullmatch(url) or _FILE_URL.fullmatch(url)
    return None if match is None or match["path"] == ":memory:" else match
