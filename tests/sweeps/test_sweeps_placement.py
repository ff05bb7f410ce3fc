"""Where trials run: spread over GPUs, two on one, never more than asked, in workers that stay."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from scripted import log_lines
from sweep_checks import check_study
from sweep_fixtures import GPUS, MakeSweep

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep

Line = dict[str, Any]


def run_noted(make_sweep: MakeSweep, folder: Path, at_once: int, **fields: Any) -> list[list[Line]]:
    """Run a sweep in which trials wait for each other by groups; what each group wrote down at its start."""
    settings = {"log": str(folder / "log"), "meet": str(folder / "meet"), "meet_count": at_once}
    config: SweepConfig = make_sweep(trials=2 * at_once, max_epochs=2, settings=settings, **fields)
    assert run_sweep(config).succeeded
    check_study(config, config.trials)
    lines = sorted(log_lines(folder / "log"), key=lambda line: int(line["trial"]))
    first = [line for line in lines if line["epoch"] == 1]
    return [list(group) for _, group in itertools.groupby(first, lambda line: int(line["trial"]) // at_once)]


def test_by_default_each_gpu_has_one_trial_and_workers_stay(make_sweep: MakeSweep, tmp_path: Path) -> None:
    groups = run_noted(make_sweep, tmp_path, at_once=GPUS, gpus_per_trial=None, concurrency=None)
    for group in groups:
        assert sorted(line["cuda"] for line in group) == ["0", "1", "2", "3"]
    pids = {line["pid"] for group in groups for line in group}
    assert len(pids) == GPUS, "as many workers as trials at a time, each for one trial after another"


def test_two_trials_share_a_gpu_at_one_half_and_no_more_run_than_asked(
    make_sweep: MakeSweep, tmp_path: Path
) -> None:
    groups = run_noted(make_sweep, tmp_path, at_once=2, gpus_per_trial=0.5, concurrency=2)
    for group in groups:
        assert len({line["cuda"] for line in group}) == 1
    assert most_at_once(log_lines(tmp_path / "log")) == 2


def most_at_once(lines: list[Line]) -> int:
    """The most trials that were between the beginnings of their first and last epochs at one moment."""
    times: dict[int, list[float]] = {}
    for line in lines:
        times.setdefault(line["trial"], []).append(line["time"])
    spans = [(min(each), max(each)) for each in times.values()]
    return max(sum(start <= moment <= end for start, end in spans) for moment, _ in spans)
