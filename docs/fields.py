"""Every field of the configurations, from the models: `uv run docs/fields.py` writes the page anew."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo

from cifar_cnn.config import DataConfig, TrainConfig
from scripts.options import option_name
from search.config.definition import Definition
from search.config.model import is_duration
from search.config.run_settings import RunSettings
from search.config.sweep_config import SweepConfig
from search.launching.request import SweepRequest
from search.training.settings import LightningSettings
from spaces.wide import SPACE

PAGE = Path(__file__).parent / "reference" / "fields.md"
_SIGNS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}


def page() -> str:
    """The whole page."""
    own = [name for name in SweepConfig.model_fields if name not in _inherited()]
    parts = [
        "# Reference: every field\n\nWritten by `docs/fields.py` from the models, whose rules and help these "
        "are. A sweep file and `SweepConfig` spell a field as it is here; what is an option too has its name "
        "below it.",
        "## What may vary: `TrainConfig`\n\nOne training of the CNN. All but `max_epochs` and `seed` can be "
        "searched over; the last column is what the space `wide` tries of each, as a first idea of a range.",
        _table(TrainConfig, TrainConfig.model_fields, options=False, space=True),
        "## The images: `DataConfig`",
        _table(DataConfig, DataConfig.model_fields),
        "## What the trials are: `SweepConfig`, its definition\n\nA resume may not change these.",
        _table(SweepConfig, [*own, *Definition.model_fields]),
        "## How a sweep is run: `SweepConfig`, its run settings\n\nA resume may change these.",
        _table(SweepConfig, RunSettings.model_fields),
        "## A module of your own: `LightningSettings`",
        _table(LightningSettings, LightningSettings.model_fields),
    ]
    return "\n\n".join(parts) + "\n"


def _inherited() -> set[str]:
    return {*Definition.model_fields, *RunSettings.model_fields}


def _table(
    model: type[BaseModel], names: Mapping[str, Any] | list[str], *, options: bool = True, space: bool = False
) -> str:
    headings = ["field", "type and range", "default", "what it is", *(["in `wide`"] if space else [])]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for name in names:
        field = model.model_fields[name]
        asked = SweepRequest.model_fields.get(name)
        is_option = options and asked is not None and asked.description == field.description
        option = f"<br>`{option_name(name)}`" if is_option else ""
        help_ = (field.description or "").replace("<", "&lt;")
        cells = [
            f"`{name}`{option}",
            _type(field),
            _default(field),
            help_,
            *([_tried(name)] if space else []),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _type(field: FieldInfo) -> str:
    """`whole number, at least 1`; times and sizes with their unit."""
    kinds = [_kind(part) for part in _parts(field.annotation) if part is not types.NoneType]
    text = "time: seconds, or `30m`" if is_duration(field) else " or ".join(dict.fromkeys(kinds))
    return ", ".join([text, *_bounds([*field.metadata, *_inner(field.annotation)])])


def _parts(annotation: Any) -> Iterator[Any]:
    """The kinds that a field may be of, without what is said of them."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _inner(annotation: Any) -> Iterator[Any]:
    """What is said of the kinds within an annotation."""
    for part in (annotation, *typing.get_args(annotation)):
        for said in getattr(part, "__metadata__", ()):
            yield from said.metadata if isinstance(said, FieldInfo) else [said]


def _kind(part: Any) -> str:
    origin, arguments = typing.get_origin(part), typing.get_args(part)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {' or '.join(_kind(each) for each in arguments)}"
    if origin is dict:
        return "table: text to " + ("anything" if arguments[1] is Any else _kind(arguments[1]))
    if part is ByteSize:
        return "size: bytes, or `2GB`"
    return _NAMES.get(part, f"`{getattr(part, '__name__', part)}`")


def _bounds(metadata: list[Any]) -> list[str]:
    return [
        f"{sign} {_number(getattr(bound, name))}"
        for bound in metadata
        for name, sign in _SIGNS.items()
        if isinstance(bound, getattr(annotated_types, name.capitalize()))
    ]


def _number(bound: float) -> str:
    """In full, or as a power of two where that is what it is."""
    power = int(bound).bit_length() - 1
    return f"2^{power}" if power > 16 and bound == 2**power else f"{bound:,}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default in ([], {}):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _tried(name: str) -> str:
    match SPACE.parameters.get(name):
        case CategoricalDistribution() as choice:
            return ", ".join(f"`{each}`" for each in choice.choices)
        case FloatDistribution() | IntDistribution() as numbers:
            step = f", steps of {numbers.step}" if numbers.step not in (None, 1) else ""
            return f"{numbers.low:g} to {numbers.high:g}{', log' if numbers.log else ''}{step}"
        case _:
            return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
