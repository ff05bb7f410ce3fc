"""What a command answers: people on the screen or, with `--json`, programs by one document on stdout."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ParamSpec

from cyclopts import Parameter

from scripts.documents.parts import Document

FLAG = "--json"
_JSON = Annotated[
    bool,
    Parameter(
        name=FLAG,
        help="For programs: the results as one JSON document on stdout, all else on stderr "
        "(docs/reference/json.md).",
        negative=(),
        show_default=False,
    ),
]
P = ParamSpec("P")


@dataclass(frozen=True)
class Answer:
    """What a command has done.

    Attributes:
        document: makes what programs are told.
        show: shows people what has not been shown on the way.
        code: the exit code.
    """

    document: Callable[[], Document]
    show: Callable[[], None] = lambda: None
    code: int = 0


def answers(command: Callable[P, Answer]) -> Callable[P, int]:
    """Give a command `--json`, show its answer, and have it end with its exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> int:
        as_json = kwargs.pop("json", False)
        # What is shown on the way, by whomever, is no part of the document.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            answer = command(*args, **kwargs)
            document = answer.document() if as_json else None
        if document is None:
            answer.show()
        else:
            write(document)
        return answer.code

    own = inspect.signature(command, eval_str=True)
    flag = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_JSON)
    parameters: list[Any] = sorted([*own.parameters.values(), flag], key=lambda each: each.kind)
    wrapped.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapped


def asked_for(words: Sequence[str]) -> bool:
    """Whether a command line asks for a document: told even if it is wrong otherwise."""
    return FLAG in words[: words.index("--") if "--" in words else None]


def write(document: Document) -> None:
    """Write a document to stdout, whole."""
    sys.stdout.write(document.model_dump_json(indent=2) + "\n")
    sys.stdout.flush()
