"""Options made from the models of `search`: a field is an option, with its help, its default and its rule."""

from __future__ import annotations

import functools
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter
from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo

from search.config.model import is_duration

# Options that are given once a value are called after one value.
_NAMES = {"sampler_args": "sampler-arg", "pruner_args": "pruner-arg", "loggers": "logger", "prior": "around"}
_METAVARS = {int: "INT", float: "FLOAT", Path: "PATH", ByteSize: "SIZE", int | str: "SIZE"}
_positions = itertools.count(1)  # of groups in the help


def option_name(field: str) -> str:
    """The option that gives a field: `--max-epochs`."""
    return f"--{_NAMES.get(field, field.replace('_', '-'))}"


def options(
    group: str,
    model: type[BaseModel],
    fields: Iterable[str] | None = None,
    *,
    shows_defaults: bool = True,
    environment: Mapping[str, str] | None = None,
) -> list[inspect.Parameter]:
    """Options for fields of a model; each is text still, for the model to read.

    Args:
        group: heading of their part of the help.
        model: whose fields they are.
        fields: which; by default all.
        shows_defaults: whether the help tells what holds if an option is not given.
        environment: variables that give a field too, by the field's name.
    """
    heading, variables = Group(group, sort_key=next(_positions)), environment or {}

    def parameter(name: str) -> inspect.Parameter:
        field = model.model_fields[name]
        kind, optional = _kind(field)
        spelling = Parameter(
            name=option_name(name),
            negative=None if optional or kind in (bool, list) else (),
            negative_none="no-",
            negative_iterable="no-",
            help=field.description,
            group=heading,
            metavar=None if kind is bool else _metavar(field, kind),
            show_default=shows_defaults and _shown(field, kind),
            env_var=variables.get(name),
        )
        typed: Any = {bool: bool, list: list[str]}.get(kind, str)
        return inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[typed | None, spelling],
        )

    return [parameter(name) for name in (model.model_fields if fields is None else fields)]


def takes(*parameters: inspect.Parameter) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command these options; those that were typed come as its `**given`."""

    def decorate(command: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> int:
            return command(*args, **kwargs)

        own = inspect.signature(command, eval_str=True)
        kept = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        wrapped.__signature__ = own.replace(parameters=[*kept, *parameters])  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _kind(field: FieldInfo) -> tuple[Any, bool]:
    """What a field holds, `list` for all that is given a value at a time, and whether it may be None."""
    parts = typing.get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    (held,) = (part for part in parts if part is not types.NoneType)
    bare = typing.get_args(held)[0] if typing.get_origin(held) is Annotated else held
    kind = list if typing.get_origin(bare) in (list, dict) else bare
    return kind, types.NoneType in parts


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _metavar(field: FieldInfo, kind: Any) -> str:
    return "TIME" if is_duration(field) else _METAVARS.get(kind, "TEXT")


def _shown(field: FieldInfo, kind: Any) -> str | bool:
    """The default as the help shows it; False if there is none to show."""
    if field.is_required() or kind in (bool, list) or field.default is None:
        return False
    return f"{field.default:g}s" if is_duration(field) else str(field.default)
