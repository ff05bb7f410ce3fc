"""What the models of a sweep's settings have in common: frozen, nothing unknown, errors on one line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic.fields import FieldInfo

from search.config.credentials import hide_in
from search.text import unencodable

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Settings(BaseModel):
    """A frozen group of settings, each field written once: its name, type, help and default.

    Example:
        >>> from pydantic import Field
        >>> class Colours(Settings):
        ...     background: str = Field(default="white", description="Of all figures.")
        >>> Colours(background="black").background
        'black'
    """

    # Built when it is first used: a command's --help only looks at the fields.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @field_validator("*")
    @classmethod
    def _check_text(cls, value: Any) -> Any:
        plain = value.model_dump() if isinstance(value, BaseModel) else value
        if unencodable(str(plain) if isinstance(plain, Path) else plain) is not None:
            raise ValueError("text with NUL, or with bytes that are no UTF-8, cannot be stored: give another")
        return value


def _seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        number = float(value[:-1]) * _UNITS[value[-1:]]
    except (KeyError, ValueError):
        number = -1.0
    if not 0 < number < float("inf"):
        raise ValueError("write a positive number and a unit, such as 90s, 30m, 2h or 1d")
    return number


_DURATION = BeforeValidator(_seconds)
# Seconds; a text says its unit.
Duration = Annotated[float, _DURATION]


def _room(given: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(given)
    except ValidationError as error:
        raise ValueError("write a number and a unit, such as 500MB or 10GB") from error


# Bytes; a text says its unit.
Room = Annotated[ByteSize, WrapValidator(_room)]


def is_duration(field: FieldInfo) -> bool:
    """Whether a field is a `Duration`, or may be one."""
    metadata = [*field.metadata]
    for part in get_args(field.annotation):
        metadata += getattr(part, "__metadata__", ())
    return _DURATION in metadata


def one_line(error: Exception) -> str:
    """An error's message on one line, without passwords; of a validation error, its first field."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "missing":  # its input is all that is there
            return f"{place} is missing"
        if not place:  # of fields that do not go together
            return hide_in(message)
        return hide_in(f"`{place}={_typed(first['input'])}`: {message}")
    return hide_in(" ".join(str(error).split()))


def _typed(value: Any) -> str:
    """A value as a person may have typed it."""
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return " ".join(value)
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return " ".join(",".join(f"{name}={part}" for name, part in each.items()) for each in value)
    return value if isinstance(value, str) and value.strip() == value != "" else repr(value)
