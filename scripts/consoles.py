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

    What comes after two spaces is there to be copied, a command or a place, and stays whole: after a colon it
    has a line of its own if it does not fit. Rows of other kinds are left to the terminal.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as any console does."""
        if self.is_terminal:
            objects = tuple(_broken(each) if isinstance(each, str) else each for each in objects)
        super().print(*objects, **options)


def _broken(text: str) -> str:
    columns = shutil.get_terminal_size().columns
    return "\n".join(_fitted(line, columns) for line in text.split("\n"))


def _fitted(line: str, columns: int) -> str:
    prose, gap, copied = line.partition("  ")
    if gap and not prose.endswith(":"):
        return line
    filled = textwrap.fill(prose, columns, break_long_words=False, break_on_hyphens=False)
    last = filled.rpartition("\n")[2]
    fits = not copied or len(last) + len(gap) + len(copied) <= columns
    return f"{filled}{gap}{copied}" if fits else f"{filled}\n{gap}{copied}"


# What is printed holds users' errors and paths: brackets and colons in them are no markup.
out = Screen(width=_WIDTH, soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def stdout_for_results() -> contextlib.AbstractContextManager[object]:
    """While a sweep runs: Ray prints what happens to its workers on stdout, whatever it is told."""
    return contextlib.redirect_stdout(sys.stderr)
