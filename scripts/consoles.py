"""Where scripts print: results on stdout, progress on stderr."""

from __future__ import annotations

from rich.console import Console

# A table of results is wrapped by a narrow terminal, and never cut: what is cut cannot be read nor piped on.
_WIDTH = 1000
# What is printed holds users' errors and paths: brackets and colons in them are no markup.
out = Console(width=_WIDTH, soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
