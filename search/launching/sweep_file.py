"""A sweep file: what is asked for as TOML, to be kept, sent and launched again.

Its keys are the fields of `SweepRequest`. Relative places in it go from the file's own folder; what it does
not say has its default. Passwords are never written into one.
"""

from __future__ import annotations

import difflib
import json
import re
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import ByteSize, ValidationError

from search.config.credentials import hide, hide_in
from search.config.model import is_duration
from search.config.places import absolute, absolute_place, absolute_url, relative_place
from search.config.run_settings import URL_FIELDS
from search.config.size import sized
from search.errors import UserError
from search.launching.request import GROUPS, SweepRequest
from spaces.registry import shipped_spaces
from spaces.typed import value

SUFFIX = ".toml"
_FOLDERS = ("data_dir", "sweeps_dir")
_NAMED = ("module", "data", "callbacks")
_NAMED_FILE = re.compile(r"(.+\.py):(.+)")
_LINE = 100  # letters of a comment
_HEAD = """\
A sweep, launched by naming this file; what is typed beside it wins over what stands here.
Relative places go from this file's folder. A key that is left out has its default.
"""


def asked(name: str | None, given: Mapping[str, Any]) -> tuple[SweepRequest, str]:
    """What is asked for, and what a sweep without a name is called after.

    >>> Path("night.toml").write_text("trials = 30")
    11
    >>> request, stem = asked("night.toml", {"seed": "7"})
    >>> request.trials, request.seed, stem
    (30, 7, 'night')

    Args:
        name: of the sweep, or a sweep file; None: neither was typed.
        given: fields that were typed beside it, which win over the file's; a size over the whole of its size.

    Raises:
        UserError: a field is wrong, or the file cannot be read; names its line.
    """
    if name is not None and name.endswith(SUFFIX):
        return SweepRequest.of(sized(read(Path(name)), given)), Path(name).stem
    if name is not None and "name" in given:
        raise UserError(f"the sweep is called {name} and `name={given['name']}`: give one name")
    request = SweepRequest.of(given if name is None else {**given, "name": name})
    return request, request.space


def read(file: Path) -> dict[str, Any]:
    """The fields that a sweep file gives, with absolute places.

    Raises:
        UserError: it is not there, is no TOML, has an unknown key or a wrong value; names its line.
    """
    try:
        text = file.read_text(encoding="utf-8")
        fields = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"sweep file {file}: {error.strerror}; check its path") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise UserError(f"sweep file {file} is no TOML: {error}") from error
    for key in fields:
        if key not in SweepRequest.model_fields:
            raise UserError(f"{_place(file, text, key)}: unknown key {key!r}{_meant(key)}")
    try:
        SweepRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        message = first["msg"].removeprefix("Value error, ")
        raise UserError(hide_in(f"{_place(file, text, key)}: {key} = {fields[key]!r}: {message}")) from error
    return {key: _absolute(key, given, absolute(file).parent) for key, given in fields.items()}


def write(file: Path, request: SweepRequest) -> None:
    """Write a request into a new sweep file, each key with its help.

    Raises:
        UserError: there is such a file, or it cannot be written.
    """
    document = tomlkit.document()
    for line in _HEAD.splitlines():
        document.add(tomlkit.comment(line))
    for group, fields in GROUPS.items():
        document.add(tomlkit.nl())
        document.add(tomlkit.comment(f"---- {group}"))
        for field in fields:
            _add(document, field, request, absolute(file).parent)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(tomlkit.dumps(document))
    except FileExistsError as error:
        raise UserError(f"sweep file {file} is there already: name another, or delete it") from error
    except OSError as error:
        raise UserError(f"sweep file {file}: {error.strerror}; name another") from error


def _add(document: tomlkit.TOMLDocument, field: str, request: SweepRequest, folder: Path) -> None:
    info, held = SweepRequest.model_fields[field], getattr(request, field)
    for line in textwrap.wrap(info.description or "", _LINE):
        document.add(tomlkit.comment(line))
    if field in URL_FIELDS and held is not None and hide(held) != held:
        document.add(
            tomlkit.comment("Its password is not kept here: give the whole URL at the launch, or in the")
        )
        document.add(tomlkit.comment("environment (SWEEP_STORAGE, MLFLOW_TRACKING_URI)."))
        document.add(tomlkit.comment(f"{field} = {tomlkit.item(hide(held)).as_string()}"))
        return
    # By default they go from the folder that a launch is typed in, wherever the file lies.
    is_place = field in (*URL_FIELDS, *_FOLDERS)
    if held is None or (is_place and field not in request.model_fields_set):
        default = info.get_default(call_default_factory=True)
        shown = "" if default is None else f" {tomlkit.item(str(default)).as_string()}"
        document.add(tomlkit.comment(f"{field} ={shown}"))
        return
    if is_place or (field == "space" and held not in shipped_spaces()):
        held = relative_place(str(held), folder, folder)
    elif field in _NAMED and (file_part := _NAMED_FILE.match(held)):
        held = f"{relative_place(file_part[1], folder, folder)}:{file_part[2]}"
    elif is_duration(info):
        held = f"{held:.15g}s"
    elif isinstance(held, ByteSize):
        held = f"{held}B"
    elif field in ("enqueue", "around"):
        held = [{name: _written(text) for name, text in each.items()} for each in held]
    elif isinstance(held, dict) and "null" in json.dumps(held):  # which TOML has no word for
        held = [f"{name}={json.dumps(each)}" for name, each in held.items()]
    document.add(field, _item(held))


def _written(text: str) -> Any:
    """A parameter's value as TOML has it; the space knows what a text means."""
    return text if (meant := value(text)) is None else meant


def _item(held: Any) -> Any:
    """A value on the line of its key: a table in braces."""
    if isinstance(held, list):
        listed = tomlkit.array()
        listed.extend(_item(each) for each in held)
        return listed
    if isinstance(held, dict):
        table = tomlkit.inline_table()
        table.update({key: _item(each) for key, each in held.items()})
        return table
    return tomlkit.item(held)


def _absolute(key: str, given: Any, folder: Path) -> Any:
    if key == "storage":
        return absolute_url(given, folder)
    if key in URL_FIELDS:
        return absolute_place(given, folder)
    if key in _NAMED and (file_part := _NAMED_FILE.match(str(given))):
        return f"{absolute(Path(file_part[1]).expanduser(), folder)}:{file_part[2]}"
    if key in _FOLDERS or (key == "space" and given not in shipped_spaces()):
        return str(absolute(Path(given).expanduser(), folder))
    return given


def _place(file: Path, text: str, key: str) -> str:
    """A key's place in a file, as an error tells it: keys stand at the beginning of a line."""
    written = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    for number, line in enumerate(text.splitlines(), 1):
        if written.match(line):
            return f"sweep file {file}, line {number}"
    return f"sweep file {file}"


def _meant(key: str) -> str:
    close = difflib.get_close_matches(key, SweepRequest.model_fields, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
