"""A live table below a notebook's cell, drawn anew in place; the saved notebook keeps what it showed last."""

from __future__ import annotations

import contextvars
import html
import threading
from collections.abc import Callable
from typing import Any

from search.progress.frame import Frame

_EVERY_S = 1.0


class NotebookTable:
    """Shows a frame in the cell that runs, and again each second until `stop`.

    Args:
        draw: gives what is to be seen now; called by a thread.

    Example:
        >>> frame = Frame({"trial": ["trial-000"], "epoch": ["2/9"]}, ["night: 0/16 done"])
        >>> table = NotebookTable(lambda: frame)
        >>> table.start()  # doctest: +SKIP
        >>> table.stop(frame)  # doctest: +SKIP
    """

    def __init__(self, draw: Callable[[], Frame]) -> None:
        self._draw = draw
        self._stopped = threading.Event()
        self._handle: Any = None
        # IPython finds the cell that an output belongs to in the context.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._redraw,), name="table", daemon=True)

    def start(self) -> None:
        """Begin to show it."""
        from IPython.display import display  # there in whatever runs a notebook

        self._handle = display(bundle(self._draw()), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._thread.start()

    def stop(self, last: Frame) -> None:
        """Leave this to be seen."""
        self._stopped.set()
        self._thread.join()
        self._show(last)

    def _redraw(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self._show(self._draw())

    def _show(self, frame: Frame) -> None:
        self._handle.update(bundle(frame), raw=True)


def bundle(frame: Frame) -> dict[str, str]:
    """The frame for a notebook: a table such as pandas', with the lines below it; these alone as text."""
    import pandas as pd

    table = pd.DataFrame(frame.columns).to_html(index=False, border=0) if frame.rows else ""
    lines = "".join(f"<div>{html.escape(line)}</div>" for line in frame.lines)
    return {"text/html": table + lines, "text/plain": "\n".join(frame.lines)}
