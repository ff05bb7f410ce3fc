"""Shows the reference's examples as code: what begins with `>>>` is a quotation in Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

# Prompts, and what they print, up to an empty line.
_EXAMPLE = re.compile(r"^( *)>>> .*\n?(?:^ *\S.*\n?)*", re.MULTILINE)


def fenced(docstring: str) -> str:
    """The docstring with its examples in code blocks.

    >>> fenced("Twice.\\n\\n>>> twice(2)\\n4\\n\\nThat is all.")
    'Twice.\\n\\n```pycon\\n>>> twice(2)\\n4\\n```\\n\\nThat is all.'
    """

    def block(example: re.Match[str]) -> str:
        return f"{example[1]}```pycon\n{example[0].rstrip()}\n{example[1]}```\n"

    return _EXAMPLE.sub(block, docstring)


class Doctests(griffe.Extension):
    """Does it to every docstring that is rendered."""

    def on_object(self, *, obj: griffe.Object, **_others: Any) -> None:
        """A module, a class, a function or an attribute was read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
