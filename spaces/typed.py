"""What a person types on a command line, as the value that it means."""

import json
import math
from typing import Any

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def value(text: str) -> Any:
    """True, False and None in any case, numbers as Python or JSON writes them, other JSON; else the text.

    What is no finite number (`nan`, `1e999`) stays text, to be refused by whoever wants a number.
    """
    bare = text.strip()
    if bare.lower() in _WORDS:
        return _WORDS[bare.lower()]
    for number in (int, float):
        try:
            read = number(bare)
        except ValueError:
            continue
        return read if math.isfinite(read) else text
    try:
        return json.loads(bare, parse_constant=_refused)
    except ValueError:
        return text


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no finite number")
