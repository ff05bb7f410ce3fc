"""A sweep's file, `sweep.json`: plain JSON with a version, places that may be moved, and no password.

Version 2: what the trials are lies in `definition`, how the sweep is run in `run`; before, all fields lay
side by side, some under other names. Since version 1 a relative place lies there seen from the file's own
folder, and what is shown as `***` is in `credentials.json` beside it. Files without a version come from
before: a relative place was meant from the folder that the launch was typed in, for which the sweeps
folder's own folder is taken, as it is by default.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from cifar_cnn.files import write_atomically
from search.config.credentials import HIDDEN, hide, keep, recall
from search.config.places import absolute_place, absolute_url, relative_place, sweeps_root
from search.config.run_settings import RENAMED, URL_FIELDS
from search.errors import UserError

CONFIG_FILE = "sweep.json"
VERSION = 2
_OLD_NAMES = {new: old for old, new in RENAMED.items()}
_OF_FILE = ("version", "study_id")  # no fields of a sweep


def write(
    folder: Path, identity: Mapping[str, Any], definition: Mapping[str, Any], run: Mapping[str, Any]
) -> None:
    """Write a sweep's fields into its folder, whole or not at all.

    Args:
        folder: of the sweep; it is made if it is not there.
        identity: its name, kind and tags, and the identity of its study, once that is made.
        definition: what its trials are, as plain JSON.
        run: how it is run, as plain JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = sweeps_root(folder.parent, identity["kind"])
    urls = {field: run[field] for field in URL_FIELDS if run[field] is not None}
    # Before the file that refers to them.
    keep(folder, {field: url for field, url in urls.items() if hide(url) != url})
    movable = {
        **run,
        **{field: relative_place(hide(url), root, folder) for field, url in urls.items()},
        "paths": {name: relative_place(path, root, folder) for name, path in run["paths"].items()},
    }
    content = {"version": VERSION, **identity, "definition": definition, "run": movable}
    write_atomically(folder / CONFIG_FILE, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read(folder: Path, given: Collection[str] = ()) -> dict[str, Any]:
    """The fields that a sweep's file has, with whole URLs and absolute places; what it lacks has its default.

    The definition is under `definition` as it was kept, but for files of versions 0 and 1.

    Args:
        folder: of the sweep.
        given: fields that are about to be replaced: left out, so that their passwords need not be found.

    Raises:
        UserError: the file is of a later version or another sweep's, or a password is not to be had.
        OSError, TypeError, ValueError: it cannot be read.
    """
    parsed = _parsed(folder)
    version = parsed.get("version", 0)
    if type(version) is not int or version > VERSION:
        raise UserError(
            f"{folder / CONFIG_FILE} has version {version!r}, written by a later version of this program; "
            f"this one reads up to {VERSION}: use the later one"
        )
    fields = _flat(parsed) if version > 1 else _renamed(parsed)
    if (name := fields.get("name", folder.name)) != folder.name:
        raise UserError(
            f"{folder} is sweep {name!r}, whose study and checkpoints go by that name: "
            "give the folder its name again"
        )
    base = folder if version else sweeps_root(folder.parent, fields.get("kind", "sweep")).parent
    for field in URL_FIELDS:
        url = fields.get(field)
        if field in given:
            fields.pop(field, None)
        elif url is not None:
            whole = recall(folder, field, url, _OLD_NAMES.get(field)) if HIDDEN in url else url
            place = absolute_url if field == "storage" else absolute_place
            fields[field] = place(whole, base)
    fields["paths"] = {name: absolute_place(path, base) for name, path in fields.get("paths", {}).items()}
    return fields


def study_id(folder: Path) -> str | None:
    """Identity of the sweep's study; None before it is made, and in files from before it was written down."""
    stored = _parsed(folder).get("study_id") if (folder / CONFIG_FILE).exists() else None
    return None if stored is None else str(stored)


def _parsed(folder: Path) -> dict[str, Any]:
    fields = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    if not isinstance(fields, dict):
        raise TypeError("it holds no object")
    return fields


def _flat(parsed: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file of this version, those of its run beside the others."""
    others = {key: value for key, value in parsed.items() if key not in (*_OF_FILE, "run")}
    return {**others, **parsed.get("run", {})}


def _renamed(parsed: dict[str, Any]) -> dict[str, Any]:
    """The fields of a file of version 0 or 1, under the names of now."""
    return {RENAMED.get(key, key): value for key, value in parsed.items() if key not in _OF_FILE}
