"""A model's folder as a retraining writes it, read without MLflow, which imports what it names."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

_MODEL, _PROGRAM = "MLmodel", "model.pt2"
_FILES = {
    _MODEL,
    "conda.yaml",
    "python_env.yaml",
    "requirements.txt",
    "input_example.json",
    "serving_input_example.json",
    "registered_model_meta",  # MLflow's, beside a model that it has downloaded
}
_MOST_BYTES = {_MODEL: 5_000_000, _PROGRAM: 2_000_000_000}
_FLAVORS: dict[str, dict[str, Any]] = {
    "python_function": {"loader_module": "mlflow.pytorch", "data": "data"},
    "pytorch": {"model_data": "data", "code": None},
}
_PIXELS = {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 32, 32, 3]}}


class ForeignModel(ValueError):
    """A folder is no model that a retraining has written; says what is in the way."""


@dataclass(frozen=True)
class SavedModel:
    """What a folder holds: the exported program, unread, and the model's card.

    Example:
        >>> SavedModel(program=b"", class_names=("cat", "dog"), card={"sweep": "night"}).card["sweep"]
        'night'
    """

    program: bytes
    class_names: tuple[str, ...]
    card: dict[str, Any]


def read_model_folder(folder: Path) -> SavedModel:
    """Read a model's folder, having checked that there is nothing else in it.

    Raises:
        ForeignModel: a file, a flavor or an entry is missing, or is not what a retraining writes.
        OSError: a file cannot be read.
    """
    _check_files(folder, _FILES | {"data"})
    described = _described(_read(folder, _MODEL))
    _check_flavors(described.get("flavors"))
    card = described.get("metadata")
    if not isinstance(card, dict) or not isinstance(names := card.get("class_names"), list):
        raise ForeignModel("its MLmodel has no list of class_names")
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < max(2, len(names)):
        raise ForeignModel("its class_names are not two or more different texts")
    _check_signature(described.get("signature"), len(names))
    _check_files(folder / "data", {_PROGRAM})
    return SavedModel(_read(folder / "data", _PROGRAM), tuple(names), card)


def _check_files(folder: Path, known: set[str]) -> None:
    """Everything in a folder is known, and is itself: no link, no pipe. Hidden files are never opened."""
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if path.name.startswith("."):
            continue
        if path.name not in known:
            raise ForeignModel(f"it holds {path.name!r}, which a retraining does not write")
        if not (stat.S_ISDIR(mode) if path.name == "data" else stat.S_ISREG(mode)):
            raise ForeignModel(f"its {path.name!r} is a link, or no plain file or folder")


def _read(folder: Path, name: str) -> bytes:
    path, most = folder / name, _MOST_BYTES[name]
    if not path.is_file():
        raise ForeignModel(f"it has no {name}")
    if path.stat().st_size > most:
        raise ForeignModel(f"its {name} is larger than {most / 1e6:,.0f} MB")
    return path.read_bytes()


def _described(text: bytes) -> dict[str, Any]:
    """MLmodel as plain JSON values."""
    try:
        # References make a text of some lines unfold to more than any memory holds; MLflow writes none.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.CSafeLoader)):
            raise ForeignModel("its MLmodel has references")
        described = json.loads(json.dumps(yaml.load(text, yaml.CSafeLoader), default=str))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ForeignModel):
            raise
        raise ForeignModel(f"its MLmodel is damaged ({' '.join(str(error).split())[:150]})") from error
    if not isinstance(described, dict):
        raise ForeignModel("its MLmodel is no mapping")
    return described


def _check_flavors(flavors: object) -> None:
    """No flavor but torch's, no module but MLflow's, no code beside it: what MLflow would load or import."""
    if not isinstance(flavors, dict) or flavors.keys() != _FLAVORS.keys():
        raise ForeignModel(f"its flavors are not {' and '.join(_FLAVORS)}")
    for flavor, wanted in _FLAVORS.items():
        stored = flavors[flavor] if isinstance(flavors[flavor], dict) else {}
        for key, value in wanted.items():
            if stored.get(key) != value:
                raise ForeignModel(f"its flavor {flavor} has {key}: {stored.get(key)!r} instead of {value!r}")
        if stored.get("code") is not None:
            raise ForeignModel(f"its flavor {flavor} has code: {stored['code']!r}")


def _check_signature(signature: object, classes: int) -> None:
    probabilities = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, classes]}}
    for side, wanted in (("inputs", _PIXELS), ("outputs", probabilities)):
        try:
            schema = json.loads(signature[side])  # type: ignore[index]
        except (TypeError, KeyError, ValueError, RecursionError):
            schema = None
        if schema != [wanted]:
            raise ForeignModel(f"its signature's {side} are not {json.dumps(wanted['tensor-spec'])}")
