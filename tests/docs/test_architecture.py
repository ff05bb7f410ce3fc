"""The document about the architecture knows the rooms that there are."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_room_of_the_search_has_its_line() -> None:
    """`uv run docs/rooms.py` writes the listing anew."""
    rooms = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
    listed = PAGE.partition(rooms["BEGIN"])[2].partition(rooms["END"])[0].splitlines()
    expected = rooms["listing"](ROOT / "search")
    assert [line.split()[0] for line in listed if line] == [line.split()[0] for line in expected]
    assert all(len(line.split()) > 3 for line in listed if line), "a line says what it is for"


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`((?:search|cifar_cnn|tests)/[\w/]+\.py)`", PAGE))
    picture = (ROOT / "docs" / "pictures" / "architecture.dot").read_text(encoding="utf-8")
    named |= set(re.findall(r"\b((?:cifar_cnn|scripts)/\w+\.py)", picture))
    assert len(named) > 4
    assert not {name for name in named if not (ROOT / name).is_file()}
    folders = set(re.findall(r"\b(\w+)/\\n", picture))
    assert folders >= {"study", "engine", "ray_tune", "tracking"}
    assert not {name for name in folders if not (ROOT / "search" / name).is_dir()}
