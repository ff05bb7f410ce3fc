"""What is imported is declared, where it is needed, and what is declared is needed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = ("spaces", "cifar_cnn", "search", "scripts")
# Declared, and imported by others: a library that is declared takes it where it finds it.
FOR_OTHERS = {"alembic", "cmaes", "greenlet", "psycopg", "python-multipart"}
GIVEN = {"IPython"}  # imported where a notebook runs, which brings it
DISTRIBUTIONS = packages_distributions()


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements if isinstance(text, str)}


SHARED = names(PROJECT["project"]["dependencies"])
EXTRAS = {name: names(of) for name, of in PROJECT["project"]["optional-dependencies"].items()}
SWEEP, SERVE = SHARED | EXTRAS["sweep"], SHARED | EXTRAS["serve"]
# Modules with an extra of their own, which they alone import.
WITH_EXTRA = {
    "search.loggers.tensorboard": "tensorboard",
    "search.loggers.wandb": "wandb",
    "scripts.mcp_tools": "mcp",
}
ALL = SHARED | set().union(*EXTRAS.values())
DEV = names(PROJECT["dependency-groups"]["dev"])


def imported(node: ast.AST) -> Iterator[str]:
    """The modules, or objects in them, that code imports when it runs: nothing for a type checker alone."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def modules(*folders: str) -> dict[str, set[str]]:
    """Each module below some folders by its dotted name, with what it imports."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
            found[name.removesuffix(".__init__")] = set(imported(ast.parse(path.read_text("utf-8"))))
    return found


HOUSE = modules(*OURS)


def reached(*start: str) -> set[str]:
    """These modules of the house, what they import of it, at the top or in a function, and so on."""
    seen: set[str] = set()
    left = list(start)
    while left:
        name = left.pop()
        if name in HOUSE and name not in seen:
            seen.add(name)
            parents = [name.rpartition(".")[0]]
            left += [*parents, *HOUSE[name], *(one.rpartition(".")[0] for one in HOUSE[name])]
    return seen


def packages(imports: set[str]) -> set[str]:
    """Top-level packages of others among imports."""
    return {name.partition(".")[0] for name in imports} - {*sys.stdlib_module_names, *OURS, *GIVEN}


def own_extra(module: str) -> set[str]:
    """What is declared for a module alone."""
    return EXTRAS[WITH_EXTRA[module]] if module in WITH_EXTRA else set()


def undeclared(imports: set[str], declared: set[str]) -> list[str]:
    """Packages that no declared distribution brings by itself."""
    return sorted(
        package
        for package in packages(imports)
        if not declared & {canonicalize_name(name) for name in DISTRIBUTIONS.get(package, [package])}
    )


SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py") if "\nif __name__" in path.read_text())


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_imports_what_its_extra_declares(script: str) -> None:
    declared = SERVE if script == "serve_model" else SWEEP
    for name in sorted(reached(f"scripts.{script}")):
        assert not undeclared(HOUSE[name], declared | own_extra(name)), name


def test_every_module_imports_what_is_declared() -> None:
    for name, imports in HOUSE.items():
        assert not undeclared(imports, SWEEP | SERVE | own_extra(name)), name


@pytest.mark.parametrize("folder", ["tests", "benchmarks", "examples"])
def test_what_is_not_installed_imports_what_is_declared_for_development(folder: str) -> None:
    found = modules(folder)
    own = {"benchmarks", "test_floors", *(name.rpartition(".")[2] for name in modules("tests", "examples"))}
    # For one benchmark each, asked for by name: `uv run --with syne-tune`.
    elsewhere = {"onnxruntime", "syne_tune"}
    everything = ALL | DEV
    for name, imports in found.items():
        theirs = {one for one in imports if one.partition(".")[0] not in own | elsewhere}
        assert not undeclared(theirs, everything), name


def test_what_is_declared_is_imported() -> None:
    used = set().union(*(packages(imports) for imports in HOUSE.values()))
    brought = {canonicalize_name(name) for package in used for name in DISTRIBUTIONS.get(package, [])}
    assert ALL - EXTRAS["dashboard"] - brought == FOR_OTHERS


def test_each_dependency_has_its_reason() -> None:
    rows = re.findall(r"^\| ([^`|]+) \|.*\|.*\|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    told = {canonicalize_name(Requirement(name).name) for row in rows for name in row.split(", ")}
    assert told - {"package"} == ALL


def test_serving_knows_no_sweep() -> None:
    assert not SERVE & {"ray", "optuna", "pytorch-lightning", "mlflow", "scikit-learn", "matplotlib"}
    assert "scripts.serve_model" in reached("scripts.serve_model")
    assert "optuna" in packages(set().union(*(HOUSE[name] for name in reached("scripts.launch_sweep"))))


@pytest.mark.parametrize(
    ("file", "declared"),
    [
        ("requirements.txt", SWEEP),
        ("requirements_serve.txt", SERVE),
        ("requirements_dev.txt", ALL | DEV),
    ],
)
def test_what_is_declared_is_pinned(file: str, declared: set[str]) -> None:
    lines = (ROOT / file).read_text().splitlines()
    pinned = names([line for line in lines if not line.startswith("#")])
    assert declared <= pinned
    assert "uv pip compile" in lines[0], "how it is compiled anew"
    assert not pinned & {"ray", "optuna", "mlflow"} or file != "requirements_serve.txt"
