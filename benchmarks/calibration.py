"""How well intervals and probabilities of `search/results/statistics.py` hold.

    uv run python -m benchmarks.calibration --repeats 2000

Each repeat draws true means, which are thus known, and three seeds an arm. An interval should cover its
true mean 95 times of 100, and of the arms said to be best with 70%, 70 of 100 should be. The last two worlds
break what is assumed.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.results.statistics import estimates

Array = NDArray[np.float64]
ARMS, SEEDS, SD = 3, 3, 0.004  # the spread between seeds of CIFAR networks is some tenths of a point
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


@dataclass(frozen=True)
class World:
    """How measurements come about."""

    name: str
    spreads: Callable[[np.random.Generator], Array]  # a standard deviation for each arm
    noise: Callable[[np.random.Generator, tuple[int, int]], Array]  # of deviation 1


def _equal(_: np.random.Generator) -> Array:
    return np.full(ARMS, SD)


def _unequal(rng: np.random.Generator) -> Array:
    return SD * rng.choice([0.5, 1.0, 2.0], size=ARMS)


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def _heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_t(3, shape) / math.sqrt(3)


WORLDS = (
    World("normal, equal spread (as assumed)", _equal, _normal),
    World("normal, spread 0.5, 1 or 2 times", _unequal, _normal),
    World("heavy tails (t with 3 degrees)", _equal, _heavy),
)


class Tally:
    """What has been seen in one world."""

    def __init__(self) -> None:
        self.covered = self.intervals = self.picked_best = 0
        self.said, self.came_true, self.counts = (np.zeros(len(BINS) - 1) for _ in range(3))


def simulate(world: World, repeats: int, seed: int) -> Tally:
    """Compare arms again and again; true means lie as far apart as seeds do."""
    rng = np.random.default_rng(seed)
    tally = Tally()
    for _ in range(repeats):
        means = 0.7 + SD * rng.standard_normal(ARMS)
        measured = means[:, None] + world.spreads(rng)[:, None] * world.noise(rng, (ARMS, SEEDS))
        estimated = estimates({arm: values.tolist() for arm, values in enumerate(measured)})
        tally.picked_best += int(measured.mean(axis=1).argmax() == means.argmax())
        for arm, estimate in estimated.items():
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.probability_best is not None
            tally.intervals += 1
            tally.covered += estimate.low <= means[arm] <= estimate.high
            place = min(int(np.searchsorted(BINS, estimate.probability_best, "right")) - 1, len(BINS) - 2)
            tally.counts[place] += 1
            tally.said[place] += estimate.probability_best
            tally.came_true[place] += arm == means.argmax()
    return tally


def main() -> None:
    """Simulate each world and print Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    tallies = [(world, simulate(world, arguments.repeats, arguments.seed)) for world in WORLDS]
    print("| world | 95% intervals that cover | best mean is truly best |\n|---|---|---|")
    for world, tally in tallies:
        covered = tally.covered / tally.intervals
        print(f"| {world.name} | {covered:.1%} | {tally.picked_best / arguments.repeats:.1%} |")
    print("\n| P(best) said | " + " | ".join(world.name for world, _ in tallies) + " |")
    print("|---" * (len(tallies) + 1) + "|")
    for place, (low, high) in enumerate(itertools.pairwise(BINS)):
        cells = []
        for _, tally in tallies:
            count = max(1.0, tally.counts[place])
            cells.append(f"{tally.said[place] / count:.3f} -> {tally.came_true[place] / count:.3f}")
        print(f"| {low:.1f} to {high:.1f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
