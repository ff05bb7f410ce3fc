"""What the library says in fields and steps, a command line says in options and commands."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.commands import command, error_text, in_options
from search.errors import Step, UserError

ROOT = Path(__file__).parents[2]
TYPED = re.compile(r"(?<![\w-])--[a-z]{2,}|uv run|\b\w+_(sweep|best|mlflow|model|trials)\.py\b")


def strings(tree: ast.AST) -> Iterator[str]:
    """Every text of a module but its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_text_of_the_library_names_an_option_or_a_script() -> None:
    allowed = {
        "search/study/launch_notes.py",  # git's
        "search/tracking/pages/links.py",  # MLflow's server's
        "search/tracking/experiment.py",  # `mlflow experiments restore --experiment-id`
    }
    found = {
        (path.relative_to(ROOT).as_posix(), text)
        for path in (ROOT / "search").rglob("*.py")
        for text in strings(ast.parse(path.read_text(encoding="utf-8")))
        if TYPED.search(text)
    }
    assert {path for path, _ in found} <= allowed, found


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("`trials=20`: too few", "--trials 20: too few"),
        ("check `tracking_uri` and its server", "check --tracking-uri and its server"),
        ("`retry_failed` trains it once more", "--retry-failed trains it once more"),
        ("`sampler_args` are wrong", "--sampler-arg are wrong"),
        ("run `mlflow` or `depth=3`", "run `mlflow` or `depth=3`"),
    ],
)
def test_a_field_is_said_as_its_option(said: str, typed: str) -> None:
    assert in_options(said) == typed


@pytest.mark.parametrize(("variable", "begins"), [("UV", "uv run scripts/"), ("PATH", "python scripts/")])
def test_a_step_is_said_with_its_command(variable: str, begins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.delenv("SWEEPS_DIR", raising=False)
    monkeypatch.setenv(variable, "there")
    step = Step("resume", "night", Path("sweeps").absolute(), "let it grow", {"trials": 40})
    refusal = UserError(f"nothing is left: {step}", step)
    wrapped = UserError(f"first: {refusal}")
    wrapped.__cause__ = refusal
    assert str(refusal) == "nothing is left: let it grow with `trials=40`"
    assert error_text(wrapped) == (
        f"first: nothing is left: let it grow with `{begins}resume_sweep.py night --trials 40`"
    )


def test_another_folder_of_sweeps_is_part_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UV", raising=False)
    step = Step("sync", "night", tmp_path, "make it anew")
    assert command("sync_mlflow.py", step) == f"python scripts/sync_mlflow.py night --sweeps-dir {tmp_path}"


@pytest.mark.parametrize(
    ("begun", "uv", "goes_on"),
    [
        (["scripts/sync_mlflow.py"], False, "{python} scripts/sync_mlflow.py night"),
        (["scripts/sync_mlflow.py"], True, "uv run scripts/sync_mlflow.py night"),
        (["-m", "scripts.sync_mlflow"], False, "{python} -m scripts.sync_mlflow night"),
        (["-m", "scripts.sync_mlflow"], True, "uv run python -m scripts.sync_mlflow night"),
    ],
)
def test_a_command_is_spelt_as_the_one_that_was_typed(begun: list[str], uv: bool, goes_on: str) -> None:
    variables = {name: value for name, value in os.environ.items() if name != "UV"}
    done = subprocess.run(
        [sys.executable, *begun, "--help"],
        cwd=ROOT,
        env={**variables, **({"UV": "there"} if uv else {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert goes_on.format(python=sys.executable) in done.stdout.splitlines()
