"""Draws README's badges, `badge_*.svg`, from `pyproject.toml`: files of this repository, not of a server.

uv run docs/pictures/badges.py
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
_CHAR, _EDGE, _HEIGHT = 6.2, 7, 20  # pixels; a letter of this size is some 6 wide
_LABEL, _SAID = "#475569", "#2563eb"


def badges() -> dict[str, str]:
    """The badges by name."""
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"])
    assert versions is not None
    said = {
        "ci": "ruff, mypy, pytest, docs",
        "python": f"3.{versions[1]} to 3.{int(versions[2]) - 1}",
        "licence": project["license"],
        "docs": "tutorial, guides, reference",
    }
    labels = {"ci": "CI", "python": "Python"}
    return {name: badge(labels.get(name, name), text) for name, text in said.items()}


def badge(label: str, text: str) -> str:
    """A label, and what is said of it."""
    left, right = (round(len(part) * _CHAR + 2 * _EDGE) for part in (label, text))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img" '
        f'aria-label="{label}: {text}" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        f'fill="#fff" text-anchor="middle">'
        f'<clipPath id="round"><rect width="{left + right}" height="{_HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#round)"><path fill="{_LABEL}" d="M0 0h{left}v{_HEIGHT}H0z"/>'
        f'<path fill="{_SAID}" d="M{left} 0h{right}v{_HEIGHT}H{left}z"/></g>'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 2 * _EDGE}">{label}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 2 * _EDGE}">{text}</text></svg>\n'
    )


if __name__ == "__main__":
    for name, picture in badges().items():
        (HERE / f"badge_{name}.svg").write_text(picture, encoding="utf-8")
