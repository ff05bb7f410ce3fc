"""Kill drivers and workers of real sweeps again and again, resume them, and count what was lost or doubled.

    uv run python -m benchmarks.kills --kills 200 --out kills.json      # two hours on two cores
    uv run python -m benchmarks.kills --train lightning --kills 60

Every sweep is killed several times in a row, at a named fail point or at a random moment (of a resume
as much as of a launch), and run to its end after that. Then the study, the epochs that were trained, every
decision and every point in MLflow are counted, and what is left of processes and files. `checkpoint` is a
fail point in a worker, all others are the driver's. Sweeps with one worker and with two take turns, and so
do the default methods: TPE with ASHA or Hyperband, where the size is in trials, and curves with promotion,
where it is in epochs. They train a formula, or a LightningModule whose loaders have workers of their own. A
pruner's decision is right if one that is shown the same reports in the same order decides so. A sweep with
one worker has to end as one that nobody disturbs: each hand-out of a trial and its reason, and each bit of
each metric.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import json
import logging
import math
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.kills.counts import (
    Count,
    Kill,
    Outcome,
    count_differences,
    count_epochs,
    count_sweep,
    known_epochs,
)
from benchmarks.kills.drivers import IN_WORKER, OF_FREEZING, POINTS, RANDOM, Drivers
from benchmarks.kills.formula import begun
from benchmarks.kills.leftovers import Watch
from benchmarks.kills.shapes import SHAPES, TRIALS, Shape, config_of
from search.config.sweep_config import SweepConfig
from search.driver import run_sweep


def main() -> None:
    """Kill, count, print."""
    parser = argparse.ArgumentParser(
        "benchmarks.kills", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--in-a-row", type=int, default=10, help="kills of one sweep")
    parser.add_argument("--train", choices=SHAPES, default="formula", help="what the trials train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write the counts as JSON")
    parser.add_argument("--drive", type=Path, help=argparse.SUPPRESS)  # the driver that is killed
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments.drive)
        return
    counts: dict[str, Count] = collections.defaultdict(Count)
    outcome = Outcome()
    chance, shapes = random.Random(arguments.seed), SHAPES[arguments.train]
    try:
        for done in stress(arguments.kills, arguments.in_a_row, shapes, chance, counts, outcome):
            print(f"{done} of {arguments.kills} kills", file=sys.stderr, flush=True)
            if arguments.out:
                report = {"kills": {kind: asdict(count) for kind, count in sorted(counts.items())}}
                arguments.out.write_text(json.dumps({**report, "sweeps": asdict(outcome)}, indent=1))
    except KeyboardInterrupt:
        print("interrupted: of the sweep under way no kill is counted", file=sys.stderr)
    for kind, count in sorted(counts.items()):
        print(f"{kind:<20} " + "  ".join(f"{name} {value}" for name, value in asdict(count).items()))
    print("  ".join(f"{name} {value}" for name, value in asdict(outcome).items()))


def stress(
    kills: int,
    in_a_row: int,
    shapes: tuple[Shape, ...],
    chance: random.Random,
    counts: dict[str, Count],
    outcome: Outcome,
) -> Iterator[int]:
    """Kill so many times, so many of each sweep; gives the kills done after each sweep."""
    deck, done = Deck(chance), 0
    for shape in itertools.cycle(shapes):
        part = deck.deal(min(in_a_row, kills - done), freezes=shape.trainings is not None)
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            done += _one_sweep(Path(folder), shape, part, chance, counts, outcome)
        yield done
        if done == kills:
            return


class Deck:
    """Kinds of kills in a random order; each named point comes once before any comes again.

    Args:
        chance: the order.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._kinds: list[str] = []

    def deal(self, count: int, freezes: bool) -> list[str]:
        """The next kinds for a sweep; those of freezing wait for one that freezes trials."""
        dealt: list[str] = []
        while len(dealt) < count:
            fitting = [kind for kind in self._kinds if freezes or kind not in OF_FREEZING]
            if not fitting:
                fitting = [*POINTS, *[RANDOM] * (len(POINTS) // 2)]
                self._chance.shuffle(fitting)
                self._kinds += fitting
                continue
            dealt.append(fitting[0])
            self._kinds.remove(fitting[0])
        return dealt


def _one_sweep(
    folder: Path,
    shape: Shape,
    kinds: list[str],
    chance: random.Random,
    counts: dict[str, Count],
    outcome: Outcome,
) -> int:
    watch = Watch(folder)
    watch.start()
    drivers = Drivers(folder, watch.works_in, watch.environment)
    config = config_of(shape, folder, drivers.log)
    kills: list[Kill] = []
    for kind in kinds:
        killed = drivers.run_and_kill(config, kind, chance)
        if shape.trainings and not killed:
            break  # done before it came to that; it may not grow, for its size is what decisions go by
        while not killed:  # likewise: let it grow
            config = config.model_copy(update={"trials": config.most_trials + TRIALS})
            assert config.most_trials < 100 * TRIALS, f"no driver ever comes to {kind}"
            killed = drivers.run_and_kill(config, kind, chance)
        # A driver goes on by itself after the death of a worker: what counts is the moment of that.
        died = drivers.died.stat().st_mtime if kind in IN_WORKER else math.inf
        kills.append(Kill(kind, len(begun(drivers.log, died)), known_epochs(config, died)))
    assert drivers.run(config) == 0, "nobody kills the last driver"
    _count_leftovers(watch, outcome)
    count_epochs(begun(drivers.log), kills, counts)
    count_sweep(config, outcome)
    if shape.slots == 1:
        undisturbed = config.model_copy(update={"sweeps_dir": folder / "undisturbed"})
        drivers.run(undisturbed)
        count_differences(config, undisturbed, outcome)
    return len(kills)


def _count_leftovers(watch: Watch, outcome: Outcome) -> None:
    processes = watch.processes_left()
    files, orphans = watch.files_left(), watch.orphans()
    for left in (*processes, *files):
        print(f"left: {left}", file=sys.stderr, flush=True)
    outcome.processes_left += len(processes)
    outcome.files_left += len(files)
    outcome.loader_workers_orphaned += len(orphans)
    outcome.longest_orphaned_s = max(outcome.longest_orphaned_s, *orphans, 0.0)


def drive(planned: Path) -> None:
    """Be the driver that is killed."""
    logging.basicConfig(level=logging.ERROR)
    config = SweepConfig.model_validate_json(planned.read_text())
    result = run_sweep(config, progress=False)
    sys.exit(0 if result.succeeded else f"{result.stop}, {result.view_missing}")


if __name__ == "__main__":
    main()
