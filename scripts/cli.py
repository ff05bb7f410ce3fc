"""What the scripts have in common: exit codes, logging, and options that several of them take."""

from __future__ import annotations

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from search.engine.ending import INTERRUPTED, current_ending, ends_when_asked
from spaces.typed import value

DONE, FAILED, USAGE = 0, 1, 2

SweepsDir = Annotated[Path, typer.Option(help="Folder that holds one folder per sweep.", envvar="SWEEPS_DIR")]
TimeBudget = Annotated[
    str | None,
    typer.Option(help="End after this time, such as 90s, 30m or 2h; what still runs can be resumed."),
]
TrialTimeout = Annotated[
    str | None,
    typer.Option(help="Kill and restart a trial's worker that reports nothing for so long, such as 30m."),
]
CleanupTime = Annotated[
    str | None,
    typer.Option(help="Time that a pruned trial gets to clean up, such as 60s; then its worker is replaced."),
]
CpusPerTrial = Annotated[float | None, typer.Option(help="CPU cores, and torch threads, of a trial.")]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(help="GPUs of a trial; 0.5 lets two share one, 0 trains and tests on the CPU."),
]
Concurrency = Annotated[int | None, typer.Option(help="Most trials at a time; by default all that fit.")]
RayAddress = Annotated[str | None, typer.Option(help="A running Ray cluster instead of this machine.")]

FirstFailures = Annotated[
    int | None, typer.Option(help="Stop if the first so many trials all fail; 0: never. NaN is no failure.")
]
MaxFailedShare = Annotated[
    float | None, typer.Option(help="Stop if a larger share of the ended trials has failed; 1: never.")
]
ShareAfter = Annotated[int | None, typer.Option(help="Ended trials before that share means something.")]

P = ParamSpec("P")


def app(help_text: str | None) -> typer.Typer:
    """A typer application that prints help readably and leaves tracebacks to Python."""
    return typer.Typer(
        help=help_text, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
    )


def exit_codes(command: Callable[P, int]) -> Callable[P, None]:
    """Turn what a command returns or raises into the exit codes that the scripts share."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        _quiet_logging()
        from search.errors import SweepFailed, SweepInterrupted, UserError

        try:
            code = command(*args, **kwargs)
        except UserError as error:
            _print_error("error", error)
            code = USAGE
        except SweepInterrupted as error:
            _print_error("interrupted", error)
            code = INTERRUPTED
        except SweepFailed as error:
            _print_error("failed", error)
            code = FAILED
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            code = INTERRUPTED
        if current_ending().asked:
            # A library that was interrupted half-way, in an import or in Ray's start, may crash the
            # interpreter as that is taken apart.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        raise typer.Exit(code)

    return wrapped


def stoppable(command: Callable[P, int]) -> Callable[P, int]:
    """Ctrl-C and SIGTERM end the command in time, its exit included; for all but servers.

    Servers let go of their clients by rules of their own.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        with ends_when_asked(to_the_last=True):
            return command(*args, **kwargs)

    return wrapped


def seconds(text: str | None) -> float | None:
    """`90s`, `30m`, `2h` or `1.5h` in seconds.

    Raises:
        UserError: it is none of these.
    """
    from search.errors import UserError

    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    try:
        value = float(text[:-1]) * units[text[-1:]]
    except (KeyError, ValueError):
        value = -1.0
    if not 0 < value < float("inf"):
        raise UserError(f"time {text!r}: write a positive number and a unit, such as 90s, 30m, 2h or 1d")
    return value


def named_values(pairs: list[str] | None) -> dict[str, Any]:
    """`["reduction_factor=3", "group=True", "qmc_type=halton"]` as a dictionary of what they mean.

    Raises:
        UserError: one of them has no `=`, or a name comes twice.
    """
    return {name: value(text) for name, text in named_texts(pairs).items()}


def named_texts(pairs: list[str] | None) -> dict[str, str]:
    """`["lr=0.05"]` as a dictionary of names and texts.

    Raises:
        UserError: one of them has no `=`, or a name comes twice.
    """
    from search.errors import UserError

    texts: dict[str, str] = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UserError(f"argument {pair!r}: write NAME=VALUE, such as lr=0.05")
        if name in texts:
            raise UserError(f"argument {pair!r}: {name} is {texts[name]!r} already; give it once")
        texts[name] = text
    return texts


def _print_error(kind: str, error: Exception) -> None:
    from scripts.commands import error_text
    from search.config.credentials import hide_in

    print(f"{kind}: {hide_in(error_text(error))}", file=sys.stderr)


def _quiet_logging() -> None:
    """Our own warnings on stderr, one line each; of libraries only what went wrong."""
    from scripts.commands import in_options
    from search.config.credentials import HidingRecord

    class Spoken(HidingRecord):
        """A record that names options where the library names fields."""

        def getMessage(self) -> str:  # noqa: N802
            return in_options(super().getMessage())

    logging.setLogRecordFactory(Spoken)
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s: %(message)s")
    logging.getLogger("search").setLevel(logging.INFO)
    logging.getLogger("cifar_cnn").setLevel(logging.INFO)
    # Deprecations inside of libraries are for their authors.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
