"""A race between a few configurations: which of them to train with one more seed, and when to stop.

Each gets a seed, and a second one where no rule says how far its seeds spread. Then one seed at a time goes
to the configuration where it is worth most, until one is the best with enough probability or no more may be
trained. Worth is the knowledge gradient: by how much the greatest mean is expected to grow (Frazier, Powell
and Dayanik 2008, "A knowledge-gradient policy for sequential information collection", SIAM J. Control Optim.
47). Two that can hardly be told apart are worth most, one that is far behind next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from search.results.statistics import estimates, has_rule, spreads

SURE = 0.95  # P(best) that ends a race
_NORMAL = NormalDist()


@dataclass
class Arm:
    """What is known of one of the configurations.

    Example:
        >>> arm = Arm(values=[0.7, 0.8], running=1)
        >>> arm.count
        3
    """

    values: list[float] = field(default_factory=list)  # of the seeds that completed
    running: int = 0
    failed: int = 0

    @property
    def count(self) -> int:
        """Seeds that say something of it, or soon will."""
        return len(self.values) + self.running


@dataclass(frozen=True)
class Next:
    """The arm to train once more, and why.

    Example:
        >>> Next(arm=1, why="its first seed").arm
        1
    """

    arm: int
    why: str


def next_seed(
    arms: Sequence[Arm], most: int, *, maximise: bool, sure: float = SURE, images: int | None = None
) -> Next | None:
    """The arm that gets the next seed; None: the race is over, or has to wait for what runs.

    An arm of which a seed failed is out, unless one failed of each: then those with the fewest go on. A
    race of one arm trains as often as it may, for its mean is what is asked for.

    Args:
        arms: what is known of each.
        most: seeds of all arms together, failed ones included.
        maximise: whether larger is better.
        sure: P(best) at which the race is over.
        images: that values are accuracies on, by which it is known how far seeds spread; None: they are none.

    Example:
        >>> clear = [Arm([0.81, 0.80]), Arm([0.60, 0.61]), Arm([0.70, 0.71])]
        >>> next_seed(clear, 9, maximise=True) is None
        True
        >>> next_seed([Arm([0.81]), Arm([0.60]), Arm([0.805])], 9, maximise=True, images=1000).arm
        0
    """
    if sum(arm.count + arm.failed for arm in arms) >= most:
        return None
    fewest = min(arm.failed for arm in arms)
    racing = {place: arm for place, arm in enumerate(arms) if arm.failed == fewest}
    first = min(racing, key=lambda place: (racing[place].count, place))  # of those with the fewest seeds
    seeds = {place: arm.values for place, arm in racing.items() if arm.values}
    if len(racing) == 1 or len(seeds) < len(racing):
        return Next(first, "its next seed")
    if not has_rule(seeds.values(), images) and any(len(values) < 2 for values in seeds.values()):
        return Next(first, "how far its seeds spread")
    measured = estimates(seeds, maximise=maximise, images=images)
    sign = 1 if maximise else -1
    leader = max(racing, key=lambda place: (sign * measured[place].mean, -place))
    chance = measured[leader].probability_best
    assert chance is not None, "how far seeds spread is known of each"
    if chance >= sure:
        return None
    means = {place: sign * estimate.mean for place, estimate in measured.items()}
    spread = dict(zip(seeds, spreads(list(seeds.values()), images), strict=True))
    worth = {place: _worth(place, means, arm.count, spread[place].deviation) for place, arm in racing.items()}
    chosen = max(racing, key=lambda place: (worth[place], -racing[place].count, -place))
    return Next(chosen, f"the best so far is it with P = {chance:.2f}, not yet {sure:g}")


def _worth(place: int, means: Mapping[int, float], count: int, spread: float) -> float:
    """By how much one more seed of an arm is expected to raise the greatest mean."""
    change = spread * math.sqrt(1 / count - 1 / (count + 1))
    if change == 0:
        return 0.0
    gap = abs(means[place] - max(mean for other, mean in means.items() if other != place))
    away = -gap / change
    return change * (away * _NORMAL.cdf(away) + _NORMAL.pdf(away))
