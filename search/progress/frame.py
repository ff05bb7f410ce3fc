"""What a live display shows at one moment, whatever draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """A table of text, and lines below it.

    Example:
        >>> frame = Frame({"trial": ["trial-000"], "epoch": ["2/9"]}, ["night: 0/16 done"])
        >>> frame.rows
        [('trial-000', '2/9')]
    """

    columns: dict[str, list[str]]  # cells by heading
    lines: list[str]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table's rows."""
        return list(zip(*self.columns.values(), strict=True))
