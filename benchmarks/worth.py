"""How well another hour's worth is foretold, and what sweeps save that end when it is too little.

    uv run python -m benchmarks.worth --results FOLDER/eall-w4-b20/auto

The folder holds the runs of a method that `benchmarks.replay` has kept. Looked at are the best values seen,
in normalised regret times 1000, after each fiftieth of the budget from a fifth on. An "hour" is a tenth of
the budget. A sweep ends once the expected gain of an hour is below the threshold; the loss is what it would
have gained by going on to the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from search.results.outlook import MOST_TIMES, expected_gain

HOUR = 10  # per cent of the budget
FIRST, STEP = 20, 2  # per cent of it
THRESHOLDS = (2, 5, 10, 20)


def expected(regret: Sequence[float], at: int) -> float:
    """Of an hour, after so many per cent of the budget."""
    best, half, quarter = (regret[round(at / part) - 1] for part in (1, 2, 4))
    return expected_gain(best, half, quarter, HOUR / at)


def main() -> None:
    """Print how the forecast holds, and a line a threshold."""
    parser = argparse.ArgumentParser(
        "benchmarks.worth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, required=True, help="folder of kept runs of one method")
    arguments = parser.parse_args()
    by_task: dict[str, list[list[float]]] = defaultdict(list)
    for file in sorted(arguments.results.glob("*.json")):
        run = [1000 * regret for regret in json.loads(file.read_text())["seen"]]
        by_task[file.stem.rpartition("-")[0]].append(run)
    runs = [run for task in by_task.values() for run in task]
    points = range(FIRST, 100 - HOUR + 1, HOUR)
    said = np.array([[expected(run, at) for at in points] for run in runs])
    came = np.array([[run[at - 1] - run[at + HOUR - 1] for at in points] for run in runs])
    print(f"{len(by_task)} tasks, {len(runs)} sweeps: an hour was to bring {said.mean():.1f}, ", end="")
    within = (came <= MOST_TIMES * said).mean()
    print(f"and brought {came.mean():.1f}; at most {MOST_TIMES:g} times as much in {within:.0%}\n")
    print("| threshold | budget saved | loss, median of tasks | mean loss | sweeps that lost more than it |")
    print("|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        ends = {task: [_end(run, threshold) for run in each] for task, each in by_task.items()}
        saved = [100 - end for each in ends.values() for end in each]
        losses = {
            task: [run[end - 1] - run[-1] for run, end in zip(by_task[task], each, strict=True)]
            for task, each in ends.items()
        }
        flat = [loss for each in losses.values() for loss in each]
        median = statistics.median(statistics.median(each) for each in losses.values())
        more = np.mean(np.array(flat) > threshold)
        print(f"| {threshold} | {np.mean(saved):.0f}% | {median:.1f} | {np.mean(flat):.1f} | {more:.0%} |")


def _end(run: Sequence[float], threshold: float) -> int:
    """After how many per cent of the budget a sweep ends."""
    points = range(FIRST, 100, STEP)
    return next((at for at in points if expected(run, at) < threshold), 100)


if __name__ == "__main__":
    main()
