"""What an unknown name may have meant. Loads nothing, for `--help` needs it."""

from collections.abc import Collection
from difflib import get_close_matches


def unknown(name: str, known: Collection[str]) -> str:
    """The unknown name with the nearest known one and the list of them all, to end a message with."""
    nearest = get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"{name!r}; {hint}known: {', '.join(sorted(known))}"
