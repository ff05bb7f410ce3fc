"""`--dry-run` checks everything, tells the plan and starts nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from script_runs import run_script


def test_a_dry_run_tells_the_plan_and_leaves_nothing(
    tmp_path: Path, digits_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = ["--trials", 4, "--max-epochs", 3, "--train-size", 200, "--val-size", 100]
    # A Ray that other tests have started has GPUs to count, which nobody has the memory of.
    known = ["--enqueue", "depth=2,lr=0.05", "--gpus-per-trial", 0]
    result = run_script("launch", "night", "--data-dir", digits_dir, *sizes, *known, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "night: 4 trials of up to 3 epochs" in result.stdout
    assert "lr: float 0.001..1.0, log" in result.stdout
    assert re.search(r"memory +\d+ MB for the largest model, [\d.]+ GB free", result.stdout)
    assert re.search(r"first +depth=2, lr=0.05", result.stdout)
    assert re.search(r"time +about .* if nothing is pruned", result.stdout)
    assert list(tmp_path.iterdir()) == []


def test_damaged_images_are_left_out_as_the_refusal_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(10):
                Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / f"{number}.webp")
    (tmp_path / "images" / "train" / "cat" / "3.webp").write_bytes(b"damaged")
    launch = ["launch", "mine", "--dataset", "folder", "--data-dir", "images", "--dry-run"]
    refused = run_script(*launch)
    assert refused.exit_code == 2
    remedy = re.search(
        r"train/cat/3\.webp .*leave damaged images out with (--[a-z-]+)$", refused.stderr.strip()
    )
    assert remedy, refused.stderr
    told = run_script(*launch, remedy[1])
    assert told.exit_code == 0, told.stderr
    assert "folder: 15 train, 4 val, 20 test" in told.stdout
    assert "left out 1 of 40 files" in caplog.text
    assert "train/cat/3.webp" in caplog.text


def test_a_sweep_file_that_was_saved_is_launched_by_its_name_with_what_is_typed_or_set_beside_it(
    tmp_path: Path, digits_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = ["--trials", 4, "--max-epochs", 3, "--train-size", 200, "--val-size", 100]
    given = ["--enqueue", "depth=2,lr=0.05", "--gpus-per-trial", 0, "--time-budget", "1h"]
    saved = run_script("launch", "--data-dir", digits_dir, *sizes, *given, "--save-config", "night.toml")
    assert saved.exit_code == 0, saved.stderr
    assert saved.stdout.endswith("launch it with:  uv run scripts/launch_sweep.py night.toml\n")
    assert [path.name for path in tmp_path.iterdir()] == ["night.toml"]
    monkeypatch.setenv("SWEEPS_DIR", "elsewhere")
    told = run_script("launch", "night.toml", "--trials", 5, "--dry-run")
    assert told.exit_code == 0, told.stderr
    assert "night-1: 5 trials of up to 3 epochs" in told.stdout
    assert re.search(r"first +depth=2, lr=0.05", told.stdout)
    monkeypatch.setenv("SWEEP_STORAGE", "mysql://db")
    assert "scheme 'mysql' is not known" in run_script("launch", "night.toml", "--dry-run").stderr
    assert [path.name for path in tmp_path.iterdir()] == ["night.toml"]
