"""How results look in a terminal: prose breaks between words, commands stay whole, tables fit."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from scripts import list_output, screen
from scripts.consoles import Screen
from search.results.listing import Listed

COMMAND = "uv run scripts/resume_sweep.py night --sweeps-dir /a/long/way/to/a/folder"
PROSE = "4 complete, 4 pruned, 0 failed, 1 unfinished of 9 trials; 16 epochs trained, 8 saved by pruning"


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What `out` is there, 80 columns wide."""
    monkeypatch.setenv("COLUMNS", "80")
    made = Screen(
        file=io.StringIO(), width=1000, force_terminal=request.param, color_system=None, soft_wrap=True
    )
    for module in (screen, list_output):
        monkeypatch.setattr(module, "out", made)
    return made


def lines(shown: Screen) -> list[str]:
    """What it was told."""
    assert isinstance(shown.file, io.StringIO)
    return [line.rstrip() for line in shown.file.getvalue().splitlines()]


def test_prose_breaks_between_words_and_a_command_stays_whole(shown: Screen) -> None:
    shown.print(f"{PROSE}; resume it with:  {COMMAND}")
    if not shown.is_terminal:
        assert lines(shown) == [f"{PROSE}; resume it with:  {COMMAND}"]
        return
    *prose, command = lines(shown)
    assert command == f"  {COMMAND}"
    assert " ".join(prose) == f"{PROSE}; resume it with:"
    assert len(prose) == 2
    assert max(map(len, prose)) <= 80


def test_a_row_is_left_to_the_terminal(shown: Screen) -> None:
    row = f"model folder     /{'a' * 100}"
    shown.print(row)
    assert lines(shown) == [row]


def test_a_word_that_is_wider_than_the_terminal_is_not_cut(shown: Screen) -> None:
    path = f"/{'a' * 100}"
    shown.print(f"cannot read {path}")
    assert " ".join(lines(shown)) == f"cannot read {path}"


def test_the_list_of_sweeps_fits(shown: Screen) -> None:
    list_output.print_sweeps([Listed("quickstart-1", "interrupted", 44_100_000)], Path("sweeps"))
    headings, row = lines(shown)
    assert headings.split()[:6] == ["sweep", "state", "best", "trials", "changed", "size"]
    assert row.split() == ["quickstart-1", "interrupted", "-", "0", "-", "44.1MB", "-"]
