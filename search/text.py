"""Text from outside, made such that every store, file and screen takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MOST_LETTERS = 20_000  # of one text; a tensor printed in an error's message has millions
_HEAD, _TAIL = 5_000, 14_900  # of a text that is longer: the end of a traceback tells more
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # all but tabs and ends of lines
_REFUSED = re.compile(r"[\x00\ud800-\udfff]")


def encodable(text: str) -> str:
    """The text with escapes for what UTF-8 has no bytes for and for control characters, and not too long.

    Lone surrogates come from file names and arguments whose bytes are no UTF-8. PostgreSQL takes no NUL,
    and a terminal does what other control characters say. Of what is too long, the middle is left out.
    """
    text = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    if len(text) <= MOST_LETTERS:
        return text
    return f"{text[:_HEAD]}\n... {len(text) - _HEAD - _TAIL} letters left out ...\n{text[-_TAIL:]}"


def unencodable(value: Any) -> str | None:
    """The first text within plain JSON that a store would not take; None if there is none."""
    if isinstance(value, Mapping):
        return unencodable([*value, *value.values()])
    if isinstance(value, list | tuple):
        return next((text for each in value if (text := unencodable(each)) is not None), None)
    return value if isinstance(value, str) and _REFUSED.search(value) else None
