"""What a live display shows at one moment, whatever draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

GAP = 2  # between two columns


@dataclass(frozen=True)
class Frame:
    """A table of text, and lines below it.

    Attributes:
        columns: cells by heading, in the order in which they matter.
        lines: below the table.
        kept: how many of the first columns are shown however narrow the screen is.

    Example:
        >>> cells = {"trial": ["trial-000"], "epoch": ["2/9"], "lr": ["0.1"], "optimizer": ["sgd"]}
        >>> frame = Frame(cells, ["0/16 done"], kept=2)
        >>> list(frame.fitted(80)), list(frame.fitted(30))
        (['trial', 'epoch', 'lr', 'optimizer'], ['trial', 'epoch', 'lr', '+1 more'])
    """

    columns: dict[str, list[str]]
    lines: list[str]
    kept: int = 1

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table's rows."""
        return list(zip(*self.columns.values(), strict=True))

    def fitted(self, width: int) -> dict[str, list[str]]:
        """The columns that fit beside each other, and how many are left out, if any are."""
        for shown in range(len(self.columns), self.kept, -1):
            fitted = self._first(shown)
            if _width(fitted) <= width:
                return fitted
        fitted = self._first(self.kept)
        return fitted if _width(fitted) <= width else dict(list(self.columns.items())[: self.kept])

    def _first(self, shown: int) -> dict[str, list[str]]:
        columns = dict(list(self.columns.items())[:shown])
        if left_out := len(self.columns) - shown:
            columns[f"+{left_out} more"] = [""] * len(self.rows)
        return columns


def _width(columns: dict[str, list[str]]) -> int:
    return sum(_widest([heading, *cells]) for heading, cells in columns.items()) + GAP * (len(columns) - 1)


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts))
