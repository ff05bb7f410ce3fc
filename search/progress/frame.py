"""What a live display shows at one moment, whatever draws it."""

from __future__ import annotations

from dataclasses import dataclass

from search.results.columns import fitted


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
        return fitted(self.columns, width, self.kept)
