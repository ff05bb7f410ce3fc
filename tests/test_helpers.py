"""Tests find their helpers however they are chosen, in whatever order pytest collects them."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from test_floors import imports, packages

TESTS = Path(__file__).parent
HELPERS = {
    path.stem: path.parent
    for path in TESTS.rglob("*.py")
    if path.name != "conftest.py" and not path.name.startswith("test_")
}


def test_helpers_lie_beside_or_above_their_tests_or_on_pytests_path() -> None:
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text())
    shared = {TESTS.parent / folder for folder in project["tool"]["pytest"]["ini_options"]["pythonpath"]}
    out_of_reach = [
        f"{file.relative_to(TESTS)} imports {name}"
        for file in sorted(TESTS.rglob("*.py"))
        for name in packages(imports(ast.parse(file.read_text(encoding="utf-8")))) & HELPERS.keys()
        if HELPERS[name] not in {*shared, *file.parents}
    ]
    assert not out_of_reach
