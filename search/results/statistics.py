"""What a few trainings with different seeds say about configurations, and what they leave open.

Seeds of one configuration are taken for draws from a normal distribution, and all configurations compared
for equally spread: with three seeds each, a spread of its own would be known too badly to be of use. Of an
accuracy on known images it is known roughly before anything is measured.
`benchmarks/calibration.py` measures how well intervals and probabilities hold, also where that is wrong.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
# A race ends when it looks clear, which is sooner where seeds happened to lie close together: its intervals
# are taken at this level to cover in 95 of 100 (`benchmarks/calibration.py`).
RACED_LEVEL = 0.975
RULE_FREEDOM = 4  # degrees of freedom that the deviation by rule counts for: it may be half or twice as large
_DRAWS = 100_000  # P(best) is then known to 0.002


@dataclass(frozen=True)
class Estimate:
    """A mean and how well it is known.

    Attributes:
        n: number of measurements.
        mean: their mean.
        deviation: standard deviation among them; None for a single one.
        low, high: ends of the 95% interval of the mean; None while no spread is known.
        probability_best: that its true mean is the best of those compared; None while no spread is known.

    Example:
        >>> first, second = estimates({0: [0.81, 0.80], 1: [0.78, 0.79]}).values()
        >>> f"{first.mean:.3f}, {first.low:.3f} to {first.high:.3f}, best with {first.probability_best:.0%}"
        '0.805, 0.783 to 0.827, best with 95%'
    """

    n: int
    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    probability_best: float | None


def estimates(
    arms: Mapping[int, Sequence[float]],
    *,
    maximise: bool = True,
    within: tuple[float, float] = (-math.inf, math.inf),
    images: int | None = None,
    raced: bool = False,
) -> dict[int, Estimate]:
    """Compare arms, each measured a few times, independently.

    The interval is mean +- t * s / sqrt(n) with the pooled deviation s of all arms (one-way analysis of
    variance; Montgomery, "Design and Analysis of Experiments", ch. 3). The probability is that of the
    posterior in which s^2 / sigma^2 is chi-squared and each mean is normal around its measured one (Gelman et
    al., "Bayesian Data Analysis", 3rd ed., ch. 3.2), drawn 100,000 times with a fixed seed. The prior of
    sigma^2 is the reference prior 1/sigma^2, or of accuracies a scaled inverse chi-squared around the rule.

    Args:
        arms: measurements by arm, at least one each, all finite.
        maximise: whether larger is better.
        within: what a mean can be, to which the intervals are cut; an accuracy lies between 0 and 1.
        images: that each measurement is an accuracy on; None: they are none, or nobody knows.
        raced: how many there are of each was decided by what they were.
    """
    from scipy.stats import t as student  # half a second of imports that --help does without

    deviation, freedom = deviation_between_seeds(list(arms.values()), images)
    pooled = deviation if freedom else None
    best = _probabilities(arms, pooled, freedom, maximise) if pooled is not None else {}
    estimated = {}
    for arm, values in arms.items():
        mean, half = fmean(values), None
        if pooled is not None:
            level = RACED_LEVEL if raced else LEVEL
            half = float(student.ppf((1 + level) / 2, freedom)) * pooled / math.sqrt(len(values))
        estimated[arm] = Estimate(
            n=len(values),
            mean=mean,
            deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
            low=None if half is None else max(mean - half, within[0]),
            high=None if half is None else min(mean + half, within[1]),
            probability_best=best.get(arm),
        )
    return estimated


def accuracy_deviation(accuracy: float, images: int) -> float:
    """By rule, the deviation of an accuracy between seeds: about that of so many coin throws.

    Seeds differ in which images they get wrong, as a calibrated ensemble has to (Jordan 2023, "Calibrated
    Chaos", arXiv:2304.01910). In this project's recorded curves it is 0.0201, and by this rule 0.0204.

    >>> accuracy_deviation(0.8, 400)
    0.02
    """
    share = min(max(accuracy, 0.5 / images), 1 - 0.5 / images)  # seeds without an error make one another time
    return math.sqrt(share * (1 - share) / images)


def deviation_between_seeds(groups: Sequence[Sequence[float]], images: int | None) -> tuple[float, int]:
    """The pooled deviation within groups and its degrees of freedom; nan with none.

    Where groups are accuracies on so many images, what the rule says of the highest counts for some more. It
    is of shares: of what is told in percent it says nothing.

    >>> deviation_between_seeds([[0.7, 0.9], [0.4]], images=None)
    (0.1414..., 1)
    >>> deviation_between_seeds([[0.7], [0.8]], images=400)
    (0.02, 4)
    """
    squares, freedom = 0.0, 0
    highest = max((fmean(values) for values in groups), default=math.nan)
    if images is not None and 0 <= highest <= 1:
        expected = accuracy_deviation(highest, images)
        squares, freedom = RULE_FREEDOM * expected**2, RULE_FREEDOM
    for values in groups:
        mean = fmean(values)
        squares += sum((value - mean) ** 2 for value in values)
        freedom += len(values) - 1
    return math.sqrt(squares / freedom) if freedom else math.nan, freedom


def bounds(metric: str, values: Iterable[float]) -> tuple[float, float]:
    """What a mean can be, by the metric's name and what was measured: an accuracy lies between 0 and 1.

    >>> bounds("val_acc", [0.8, 0.9]), bounds("val_acc", [80.0, 90.0]), bounds("val_loss", [0.8])
    ((0.0, 1.0), (-inf, inf), (-inf, inf))
    """
    if "acc" in metric.lower() and all(0 <= value <= 1 for value in values):
        return 0.0, 1.0
    return -math.inf, math.inf


def difference_interval(
    new: Sequence[float], old: Sequence[float], images: int | None
) -> tuple[float, float] | None:
    """95% interval of the difference of two mean test results; None where one of them is a single seed.

    Seeds count by Welch's t (Welch 1947, Biometrika 34). Of an accuracy the binomial error of the test images
    is added for either side as if they had seen different ones. They see the same, which makes this cautious.

    Args:
        new: results by seed.
        old: those of the other side.
        images: of the test split; None: the results are no accuracies.
    """
    from scipy.stats import t as student

    if min(len(new), len(old)) < 2:
        return None
    # Not scipy's `ttest_ind`, which warns of seeds that came out alike.
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (new, old)]
    by_seeds = 0.0
    if any(parts):
        squares = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (new, old), strict=True))
        freedom = sum(parts) ** 2 / squares
        by_seeds = float(student.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(sum(parts))
    shares = [] if images is None else [fmean(values) for values in (new, old)]
    variance = sum(share * (1 - share) / images for share in shares if images)
    by_images = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(variance)
    difference, half = fmean(new) - fmean(old), math.hypot(by_seeds, by_images)
    return difference - half, difference + half


@functools.lru_cache(maxsize=8)  # of 3 MB each, for three arms
def _student_draws(freedom: int, arms: int) -> NDArray[np.float64]:
    """Draws of the arms' errors in units of the measured deviation, which they share, (draws, arms)."""
    rng = np.random.default_rng(0)
    sigma = np.sqrt(freedom / rng.chisquare(freedom, size=(_DRAWS, 1)))
    return np.asarray(sigma * rng.standard_normal((_DRAWS, arms)))


def _probabilities(
    arms: Mapping[int, Sequence[float]], pooled: float, freedom: int, maximise: bool
) -> dict[int, float]:
    means = np.array([fmean(values) for values in arms.values()])
    scale = 1 / np.sqrt([len(values) for values in arms.values()])
    drawn = means + pooled * scale * _student_draws(freedom, len(arms))
    # Arms without any spread tie exactly; they share what they win.
    extreme = drawn.max(axis=1, keepdims=True) if maximise else drawn.min(axis=1, keepdims=True)
    won = drawn == extreme
    shares = (won / won.sum(axis=1, keepdims=True)).mean(axis=0)
    return {arm: float(share) for arm, share in zip(arms, shares, strict=True)}
