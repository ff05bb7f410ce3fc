"""README's pictures: each is there, small, and what its script would draw today."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = [ROOT / name for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)]


def test_the_pictures_are_small() -> None:
    assert len(SHOWN) == 9
    assert sum(picture.stat().st_size for picture in SHOWN) < 1_000_000


def test_every_place_that_the_page_names_is_there() -> None:
    places = {place.partition("#")[0] for place in re.findall(r"\]\(([^)]+)\)", README)}
    local = {place for place in places if place and not place.startswith("https://")}
    assert len(local) > 30
    assert not {place for place in local if not (ROOT / place).exists()}


def test_the_badges_say_what_the_project_says() -> None:
    for name, drawn in runpy.run_path(str(PICTURES / "badges.py"))["badges"]().items():
        assert (PICTURES / f"badge_{name}.svg").read_text(encoding="utf-8") == drawn, (
            "docs/pictures/badges.py"
        )


def test_the_session_is_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(PICTURES), *sys.path])
    drawn = runpy.run_path(str(PICTURES / "session.py"))["picture"]()
    assert (PICTURES / "session.svg").read_text(encoding="utf-8") == drawn, "docs/pictures/session.py"


def test_the_ratios_are_those_of_the_table() -> None:
    ratios = runpy.run_path(str(PICTURES / "ratios.py"))
    tools = ratios["measured"](ratios["PERFORMANCE"].read_text(encoding="utf-8"))
    assert list(tools) == [
        "this project, everything on",
        "Optuna with Lightning",
        "Ray Tune with Optuna, Lightning and MLflow",
        "Syne Tune's local backend with Lightning",
    ]
    text = ratios["told"](tools)
    assert text in (PICTURES / "ratios.svg").read_text(encoding="utf-8"), "docs/pictures/ratios.py"
    assert all(f"{median:g}" in README for median, _ in tools.values())


def test_the_learning_curves_are_those_of_the_table() -> None:
    learning = runpy.run_path(str(PICTURES / "learning.py"))
    trainings = learning["measured"](learning["NETWORK"].read_text(encoding="utf-8"))
    assert {network for network, _ in trainings} == {"fast", "ResNet-18"}
    assert {len(curve) for _, curve in trainings.values()} == {10}
    text = learning["told"](trainings)
    assert text in (PICTURES / "learning.svg").read_text(encoding="utf-8"), "docs/pictures/learning.py"
    assert text in README
