"""What the scripts have in common: exit codes, errors, logging, and options that several of them take."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn, ParamSpec

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from scripts import answers
from scripts.documents.parts import Failure
from search.engine.ending import INTERRUPTED
from search.engine.signals import current_ending, ends_when_asked

DONE, FAILED, USAGE = 0, 1, 2

SweepName = Annotated[str, Parameter(help="Name of the sweep.")]
SweepsDir = Annotated[
    Path, Parameter(help="Folder that holds one folder per sweep.", env_var="SWEEPS_DIR", negative=())
]
# A flag that nothing else could have set.
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]

P = ParamSpec("P")


def app(file: str, text: str | None) -> App:
    """An application of one command, which is its default.

    Args:
        file: of the script.
        text: its docstring, with examples.
    """
    _, _, examples = (text or "").partition("\n\n")
    made = App(
        name=Path(file).name,
        help_format="plaintext",
        help_epilogue=examples,
        version_flags=[],
        suppress_keyboard_interrupt=False,  # `main` says so, and what was stopped is taken apart
        # As on most command lines, the last of two wins; text in brackets is text.
        default_parameter=Parameter(allow_repeating=True, json_dict=False, json_list=False),
    )
    made["--help"].group = "Parameters"
    return made


def main(script: App, words: Sequence[str] | None = None) -> NoReturn:
    """Run a script to its end, and turn what it returns or raises into the exit codes that all share.

    Args:
        script: to run.
        words: of its command line, if not this process's.
    """
    words = sys.argv[1:] if words is None else words
    as_json = answers.asked_for(words)
    _quiet_logging()
    from scripts.commands import in_typed

    script.help = _reflowed(script.default_command.__doc__ or "")
    script.help_epilogue = in_typed(script.help_epilogue or "")
    from search.errors import SweepFailed, SweepInterrupted, UserError

    try:
        # Of --help it gives None.
        code = script(words, exit_on_error=False, print_error=False, result_action="return_value") or DONE
    except (CycloptsError, UserError) as error:
        _tell("usage", error, as_json)
        code = USAGE
    except ModuleNotFoundError as error:
        if (extra := _extra_with(error.name or "")) is None:
            raise
        remedy = (
            f"install the extra `{extra}`: `pip install '.[{extra}]'` in the project's folder, or `uv sync`"
        )
        missing = UserError(f"{error.name} is not installed, which this command needs: {remedy}")
        _tell("usage", missing, as_json)
        code = USAGE
    except SweepInterrupted as error:
        _tell("interrupted", error, as_json)
        code = INTERRUPTED
    except SweepFailed as error:
        _tell("failed", error, as_json)
        code = FAILED
    except KeyboardInterrupt:
        current_ending().last_word("interrupted")
        if as_json:
            answers.write(Failure(error="interrupted", kind="interrupted", next=[]))
        code = INTERRUPTED
    if current_ending().asked:
        # A library that was interrupted half-way, in an import or in Ray's start, may crash the
        # interpreter as that is taken apart.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def stoppable(command: Callable[P, int]) -> Callable[P, int]:
    """Ctrl-C, SIGTERM and SIGUSR1 end the command in time, its exit included; for all but servers.

    Servers let go of their clients by rules of their own.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        with ends_when_asked(to_the_last=True):
            return command(*args, **kwargs)

    return wrapped


def _extra_with(module: str) -> str | None:
    """The extra of this project that brings a package which is not there; None: none of them does."""
    package = module.partition(".")[0].replace("_", "-")
    for requirement in importlib.metadata.requires("cifar-sweep") or ():
        match = re.match(rf"{re.escape(package)}\b(?!-).*; extra == '(\w+)'", requirement)
        if match:
            return match[1]
    return None


def _reflowed(text: str) -> str:
    """A docstring's paragraphs on one line each: the help is wrapped to the terminal's width."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _tell(kind: Literal["usage", "failed", "interrupted"], error: Exception, as_json: bool) -> None:
    """Say on stderr what went wrong, and tell programs that asked for a document."""
    from scripts.commands import error_text, step_command, steps_of
    from search.config.credentials import hide_in
    from search.text import encodable

    text = hide_in(_usage(error) if isinstance(error, CycloptsError) else error_text(error))
    print(f"{'error' if kind == 'usage' else kind}: {text}", file=sys.stderr)
    if as_json:
        advised = [step_command(step) for step in steps_of(error)]
        answers.write(Failure(error=encodable(text), kind=kind, next=advised))


def _usage(error: CycloptsError) -> str:
    """What was typed wrong, on one line."""
    if isinstance(error, UnusedCliTokensError):
        return f"more than this command takes: {' '.join(error.unused_tokens or ())}; see --help"
    text = " ".join(str(error).split()).rstrip(".")
    return text if text.endswith("?") else f"{text}; see --help"


def _quiet_logging() -> None:
    """Our own warnings on stderr, one line each; of libraries only what went wrong."""
    from search.config.credentials import HidingRecord

    class Spoken(HidingRecord):
        """A record that names options where the library names fields."""

        def getMessage(self) -> str:  # noqa: N802
            from scripts.commands import in_options

            return in_options(super().getMessage())

    logging.setLogRecordFactory(Spoken)
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s: %(message)s")
    logging.getLogger("search").setLevel(logging.INFO)
    logging.getLogger("cifar_cnn").setLevel(logging.INFO)
    # Deprecations inside of libraries are for their authors.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
