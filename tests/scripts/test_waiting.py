"""What a command is busy with is told: a line for each step, or in a terminal one that changes."""

from __future__ import annotations

import io

import pytest

from scripts import waiting
from scripts.consoles import Screen


@pytest.mark.parametrize("terminal", [False, True])
def test_each_step_is_told(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(file=io.StringIO(), force_terminal=terminal, width=80)
    monkeypatch.setattr(waiting, "err", screen)
    with waiting.steps("night") as say:
        assert screen.file.getvalue() == "", "something else may be on the screen"  # type: ignore[attr-defined]
        say("testing")
        say("saving")
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    if terminal:
        assert text.index("testing") < text.index("saving")
    else:
        assert text == "night: testing\nnight: saving\n"
