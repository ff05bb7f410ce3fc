"""What a launch ran with is written down, and what changed since the last is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import search.study.launch_notes
from search.study.launch_notes import code_version, describe_launch, launch_difference


def test_a_launch_is_plain_json_with_who_what_and_which_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/where/launch_sweep.py", "my sweep", "--trials", "3"])
    launch = describe_launch()
    assert json.loads(json.dumps(launch)) == launch
    assert launch["pid"] == os.getpid()
    assert launch["command"] == "launch_sweep.py 'my sweep' --trials 3"
    assert {"python", "torch", "optuna", "ray", "mlflow"} <= launch["versions"].keys()
    assert all(launch["versions"].values())


def launch(code: str | None = "abc", **versions: str) -> dict[str, Any]:
    """A launch of which only this is of interest."""
    return {"time_ms": 0, "host": "a", "pid": 1, "command": "x", "versions": versions, "code": code}


def test_the_same_versions_and_code_are_no_difference() -> None:
    before = launch(torch="2.14.0")
    assert launch_difference(before, {**before, "time_ms": 9, "pid": 7, "host": "b"}) == []


def test_each_change_is_a_line() -> None:
    before = launch(torch="2.14.0", ray="2.60.0")
    now = launch(code="abc+changes", torch="2.15.0", ray="2.60.0", mlflow="3.17.2")
    assert launch_difference(before, now) == [
        "torch 2.14.0 -> 2.15.0",
        "mlflow None -> 3.17.2",
        "code abc -> abc+changes",
    ]


def git(folder: Path, *arguments: str) -> None:
    """Git, with an author, in a folder."""
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own that this package seems to lie in."""
    for name in ("search", "cifar_cnn", "spaces", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.py").write_text("1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "all")
    monkeypatch.setattr(
        search.study.launch_notes, "__file__", str(tmp_path / "search" / "study" / "launch_notes.py")
    )
    return tmp_path


def test_the_code_is_its_commit_and_whether_it_was_edited(checkout: Path) -> None:
    commit = code_version()
    assert commit is not None
    assert len(commit) == 12
    (checkout / "docs" / "file.py").write_text("2\n")
    (checkout / "search" / "notes.txt").write_text("not part of the code\n")
    assert code_version() == commit
    (checkout / "spaces" / "file.py").write_text("2\n")
    assert code_version() == f"{commit}+changes"


def test_without_a_checkout_or_git_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        search.study.launch_notes, "__file__", str(tmp_path / "search" / "study" / "launch_notes.py")
    )
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_version() is None
    monkeypatch.setenv("PATH", "")
    assert code_version() is None


def test_a_git_that_hangs_does_not_stop_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("git", 10)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert code_version() is None
