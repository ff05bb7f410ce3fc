"""How fields and steps that the library names are typed on a command line."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from scripts.options import option_name
from search.config.method import Method
from search.config.places import absolute
from search.config.run_settings import RunSettings
from search.errors import Step, UserError

_SCRIPTS = {"resume": "resume_sweep.py", "retrain": "retrain_best.py", "sync": "sync_mlflow.py"}
# A field or an argument, alone or with its value, as the texts of errors and warnings have it.
_FIELD = re.compile(r"`([a-z][a-z_]*)(?:=([^`]*))?`")
# What a command line gives: settings of the method and the run, and these. They are not read from
# `SweepRequest`, which leads to what sweeps need, and who only serves has none of that.
_GIVEN = frozenset(
    [
        *Method.model_fields,
        *RunSettings.model_fields,
        "around",
        "data_dir",
        "dataset",
        "enqueue",
        "learn_from",
        "model_name",
        "name",
        "no_finish",
        "port",
        "prior",
        "retry_failed",
        "seeds",
        "skip_damaged",
        "skip_trial",
        "space",
        "sure",
        "test_again",
        "train_size",
        "trial",
        "val_size",
    ]
)


class Sweep(Protocol):
    """What a command names of a sweep."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def sweeps_dir(self) -> Path:
        """The folder that it lies in."""


def option(field: str, value: str | None = None) -> str:
    """How a field is given: `--trials 20` for `trials=20`."""
    name = option_name(field)
    return name if value in (None, "True") else f"{name} {value}"


def in_options(text: str, steps: Sequence[Step] = ()) -> str:
    """A text of the library as a command line says it: options for fields, commands for steps."""
    for step in steps:
        text = text.replace(str(step), f"{step.purpose} with `{step_command(step)}`")

    def said(match: re.Match[str]) -> str:
        return option(match[1], match[2]) if match[1] in _GIVEN else match[0]

    return _FIELD.sub(said, text)


def error_text(error: BaseException) -> str:
    """An error's text as a command line says it."""
    return in_options(str(error), steps_of(error))


def steps_of(error: BaseException) -> list[Step]:
    """What an error advises to do."""
    steps: list[Step] = []
    cause: BaseException | None = error
    while cause is not None:  # what it was raised from may have been the one that advises
        steps += cause.steps if isinstance(cause, UserError) else []
        cause = cause.__cause__
    return steps


def step_command(step: Step) -> str:
    """What to type for a step."""
    given = "".join(f" {option(name, str(value))}" for name, value in step.fields.items())
    return command(_SCRIPTS[step.action], step) + given


def command(script: str, sweep: Sweep) -> str:
    """What to type to run a script on a sweep: in the way in which this one was run, with uv or without."""
    usual = sweep.sweeps_dir == absolute(Path("sweeps")) and "SWEEPS_DIR" not in os.environ
    folder = "" if usual else f" --sweeps-dir {shlex.quote(str(sweep.sweeps_dir))}"
    return f"{typed(script)} {sweep.name}{folder}"


def typed(script: str) -> str:
    """How to begin a command that runs a script: as the one that runs was begun."""
    python = "uv run python" if _under_uv() else sys.orig_argv[0]
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.name.startswith("scripts."):
        return f"{python} -m scripts.{script.removesuffix('.py')}"
    begun = Path(sys.argv[0])
    if begun.suffix == ".py" and begun.absolute().parent == Path(__file__).parent:
        return f"{'uv run' if _under_uv() else python} {begun.with_name(script)}"
    return f"{'uv run' if _under_uv() else 'python'} scripts/{script}"  # from a notebook, or a test


def in_typed(examples: str) -> str:
    """Examples of commands, begun as the one that runs was."""
    return re.sub(r"uv run scripts/(\w+\.py)", lambda match: typed(match[1]), examples)


def installed(command_line: str) -> str:
    """How to run another package's command."""
    return f"uv run {command_line}" if _under_uv() else command_line


def _under_uv() -> bool:
    return "UV" in os.environ  # `uv run` sets it
