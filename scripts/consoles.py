"""Where scripts print: results on stdout, progress on stderr."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
from typing import Any

from rich.console import Console

# A table of results is wrapped by a narrow terminal, and never cut: what is cut cannot be read nor piped on.
_WIDTH = 1000


class Screen(Console):
    """A console that breaks prose between words in a terminal, which by itself breaks it anywhere.

    A line with two spaces in it has something to copy, a command or a place, and is left to the terminal.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as any console does."""
        if self.is_terminal:
            objects = tuple(_broken(each) if isinstance(each, str) else each for each in objects)
        super().print(*objects, **options)


def _broken(text: str) -> str:
    columns = shutil.get_terminal_size().columns
    lines = text.split("\n")
    return "\n".join(line if "  " in line else _fill(line, columns) for line in lines)


def _fill(line: str, columns: int) -> str:
    return textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False)


# What is printed holds users' errors and paths: brackets and colons in them are no markup.
out = Screen(width=_WIDTH, soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def stdout_for_results() -> contextlib.AbstractContextManager[object]:
    """While a sweep runs: Ray prints what happens to its workers on stdout, whatever it is told."""
    return contextlib.redirect_stdout(sys.stderr)
