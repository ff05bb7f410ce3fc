"""`--dry-run` checks everything, tells the plan and starts nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from script_runs import run_script


def test_a_dry_run_tells_the_plan_and_leaves_nothing(
    tmp_path: Path, digits_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = ["--trials", 4, "--max-epochs", 3, "--train-size", 200, "--val-size", 100]
    known = ["--enqueue", "depth=2,lr=0.05"]
    result = run_script("launch", "night", "--data-dir", digits_dir, *sizes, *known, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "night: 4 trials of up to 3 epochs" in result.stdout
    assert "lr: float 0.001..1.0, log" in result.stdout
    assert re.search(r"memory +\d+ MB for the largest model, [\d.]+ GB free", result.stdout)
    assert re.search(r"first +depth=2, lr=0.05", result.stdout)
    assert re.search(r"time +about .* if nothing is pruned", result.stdout)
    assert list(tmp_path.iterdir()) == []
