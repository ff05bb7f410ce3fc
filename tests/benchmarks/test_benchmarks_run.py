"""The benchmarks run: tiny, with no time asserted, for a benchmark that does not run measures nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sweeps import require_whole, smoke_work
from benchmarks.work import SweepTimes, TrialTimes, Work

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=590
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["ours", "ray_tune", "optuna_lightning"])
def test_a_sweep_of_each_peer_is_measured_against_the_limit(peer: str) -> None:
    header, _, row = run("benchmarks.sweeps", peer, "--smoke").strip().splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert (cells[0], cells[1]) == (peer, "1")
    assert float(cells[3]) >= 3, f"epochs of three trials under {header}"
    assert float(cells[4]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["ray_tune", "optuna_lightning"])
def test_trials_that_fail_are_no_fast_sweep(peer: str, tmp_path: Path) -> None:
    work = Work(str(tmp_path / "no images"), str(tmp_path), trials=2)
    ended = subprocess.run(
        [sys.executable, "-m", f"benchmarks.peers.{peer}", work.dumps()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert ended.returncode != 0
    assert "AssertionError" in ended.stderr.splitlines()[-1], ended.stderr[-3000:]


@pytest.mark.parametrize(
    ("epochs", "refused"),
    [([2, 1], False), ([2, 1, 1], False), ([2], True), ([2, 0], True), ([2, 1, 0], True)],
)
def test_a_sweep_that_did_less_than_asked_is_refused(
    epochs: list[int], refused: bool, tmp_path: Path
) -> None:
    work = Work("", str(tmp_path), trials=2)
    (tmp_path / "output.txt").write_text("why it failed")
    times = SweepTimes([TrialTimes({}, began=0.0, epoch_ends=[1.0] * count) for count in epochs])
    if refused:
        with pytest.raises(SystemExit, match="why it failed"):
            require_whole("peer", times, work)
    else:
        require_whole("peer", times, work)


@pytest.mark.slow
def test_the_recipe_is_trained_once_for_each_seed_and_length(tmp_path: Path) -> None:
    images, out = smoke_work(tmp_path).data_dir, tmp_path / "whole.jsonl"
    small = ("--images", images, "--out", str(out), "--seeds", "1", "--subset", "40")
    for epochs in ("1", "2", "2"):
        run("benchmarks.recipe", "whole", *small, "--epochs", epochs)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [len(line["seconds"]) for line in lines] == [1, 2], "what is there is not made again"
    assert [len(line["curve"]) for line in lines] == [1, 2]
    assert all(line["accuracy"] == line["curve"][-1] for line in lines)


@pytest.mark.slow
def test_the_inside_of_a_trial_is_measured(tmp_path: Path) -> None:
    images = smoke_work(tmp_path).data_dir
    small = ("--repeats", "1", "--threads", "1", "--networks", "1x8", "--train-size", "128")
    _, _, *rows = run("benchmarks.inside_trial", "--data-dir", images, *small).strip().splitlines()
    assert [row.split("|")[3].strip() for row in rows] == ["plain loop", "trial", "tutorial"]


def test_idle_time_at_the_end_is_measured() -> None:
    told = run("benchmarks.tail", "--repeats", "1")
    assert len(re.findall(r"\d%", told)) == 2 * 5, "two schedules for each of five sweeps"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "counts"
    run("benchmarks.kills", "--kills", "6", "--in-a-row", "3", "--seed", "1", "--out", str(out))
    counts = json.loads(out.read_text())
    assert sum(kind["kills"] for kind in counts["kills"].values()) == 6
    assert sum(kind["finished_epochs_trained_again"] for kind in counts["kills"].values()) == 0
    sweeps = counts["sweeps"]
    assert sweeps["sweeps"] == 2
    assert sweeps["trials"] >= 16
    ours = ("trials_lost", "decisions_wrong", "unlike_undisturbed", "zombies", "processes_left", "files_left")
    wrong = (*ours, "mlflow_duplicates", "mlflow_repairs")
    assert {name: sweeps[name] for name in wrong} == dict.fromkeys(wrong, 0)


@pytest.mark.slow
def test_the_growth_of_a_sweep_is_measured() -> None:
    assert "20 trials, 1.00 attempts each, in" in run("benchmarks.growth", "--trials", "20", "--every", "10")


def test_the_calibration_of_the_statistics_is_measured() -> None:
    told = run("benchmarks.calibration", "--repeats", "10")
    assert len(re.findall(r"\d%", told)) == 1 + 2 * 10 * 3, "the heading, and two for each world and method"
    assert "P(best) said" in told


def test_what_an_hour_is_worth_is_judged_by_kept_runs(tmp_path: Path) -> None:
    steps = [1.0] * 25 + [0.5] * 25 + [0.25] * 50
    (tmp_path / "task-0.json").write_text(json.dumps({"seen": steps}))
    (tmp_path / "task-1.json").write_text(json.dumps({"seen": [1.0] * 50 + [0.9] * 50}))
    told = run("benchmarks.worth", "--results", str(tmp_path))
    assert "1 tasks, 2 sweeps" in told
    assert len(re.findall(r"^\| \d+ \| \d+% \|", told, re.MULTILINE)) == 4
