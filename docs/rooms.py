"""The rooms of `search/` with a line each, from their docstrings: `uv run docs/rooms.py` writes it anew."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by docs/rooms.py -->\n\n", "\n<!-- end of rooms -->"


def first_line(file: Path) -> str:
    """What a module says it is for."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def listing(folder: Path, depth: int = 0) -> list[str]:
    """A line for each folder and module below a folder: modules first, then folders, each by name."""
    indent = "    " * depth
    lines = [
        f"{indent}{file.name:<{20 - 2 * depth}} {first_line(file)}"
        for file in sorted(folder.glob("*.py"))
        if file.name != "__init__.py"
    ]
    for below in sorted(path.parent for path in folder.glob("*/__init__.py")):
        name = f"{below.name}/"
        lines += [f"{indent}{name:<{20 - 2 * depth}} {first_line(below / '__init__.py')}"]
        lines += listing(below, depth + 1)
    return lines


def written(page: str) -> str:
    """A page with the listing between its two marks."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    lines = "\n".join(f"    {line}".rstrip() for line in listing(ROOT / "search"))
    return f"{before}{BEGIN}{lines}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
