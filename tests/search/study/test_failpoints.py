"""A fail point kills its process where it is told to, and is nothing where it is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.study.failpoints import FAIL_POINTS, durable

WRITES = """
from search.study.failpoints import durable
for n in range(3):
    with durable("report"):
        print("report", n, flush=True)
"""


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    """A process that makes three durable writes."""
    return subprocess.run(
        [sys.executable, "-c", WRITES],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("point", "writes"),
    [("report.before", 0), ("report.after", 1), ("report.before:3", 2), ("report.after:2", 2)],
)
def test_a_process_dies_at_the_point_without_a_word(point: str, writes: int) -> None:
    died = run(SWEEP_FAIL_POINT=point)
    assert died.returncode == -signal.SIGKILL
    assert died.stdout.splitlines() == [f"report {n}" for n in range(writes)]


def test_only_one_process_dies_where_that_is_asked_for(tmp_path: Path) -> None:
    once = {"SWEEP_FAIL_POINT": "report.after", "SWEEP_FAIL_ONCE": str(tmp_path / "died")}
    assert run(**once).returncode == -signal.SIGKILL
    assert run(**once).returncode == 0


@pytest.mark.parametrize("point", ["prune.before", "report.after:4", "report"])
def test_other_points_are_nothing(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    monkeypatch.setenv("SWEEP_FAIL_POINT", point)
    with durable("report"):
        pass


def test_there_is_a_point_on_both_sides_of_every_write() -> None:
    assert {"ask.before", "ask.after", "report.before", "retention.after"} <= set(FAIL_POINTS)
    assert len(FAIL_POINTS) == len(set(FAIL_POINTS))
