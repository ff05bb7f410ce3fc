"""What a few trainings with different seeds say about configurations, and what they leave open.

Seeds of one configuration are taken for draws from a normal distribution. Of an accuracy on known images it
is known roughly, before anything is measured, how far they spread, and about equally for all configurations
compared. Of another metric nobody knows that: some configurations' seeds spread a hundred times as far as
others', so each goes by its own, and those of the others count for little.
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
_OTHERS_FREEDOM = 1  # that the spread of others counts for where there is no rule
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
        '0.805, 0.783 to 0.827, best with 94%'
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

    The interval is mean +- t * s / sqrt(n) with the deviation s of `spreads`. The probability is that of the
    posterior in which s^2 / sigma^2 is chi-squared and each mean is normal around its measured one (Gelman et
    al., "Bayesian Data Analysis", 3rd ed., ch. 3.2), drawn 100,000 times with a fixed seed. The prior of
    sigma^2 is a scaled inverse chi-squared around the rule or around what the others' seeds have.

    Args:
        arms: measurements by arm, at least one each, all finite.
        maximise: whether larger is better.
        within: what a mean can be, to which the intervals are cut; an accuracy lies between 0 and 1.
        images: that each measurement is an accuracy on; None: they are none, or nobody knows.
        raced: how many there are of each was decided by what they were.
    """
    from scipy.stats import t as student  # half a second of imports that --help does without

    if not arms:  # of finalists of which every seed failed
        return {}
    spread = dict(zip(arms, spreads(list(arms.values()), images), strict=True))
    best = _probabilities(arms, spread, has_rule(arms.values(), images), maximise)
    estimated = {}
    for arm, values in arms.items():
        mean, half = fmean(values), None
        if spread[arm].freedom:
            quantile = float(student.ppf((1 + (RACED_LEVEL if raced else LEVEL)) / 2, spread[arm].freedom))
            half = quantile * spread[arm].deviation / math.sqrt(len(values))
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


@dataclass(frozen=True)
class Spread:
    """How far the seeds of one configuration lie apart, and how well that is known.

    Attributes:
        deviation: standard deviation; nan while it is not known at all.
        freedom: degrees of freedom.

    Example:
        >>> Spread(deviation=0.02, freedom=4).freedom
        4
    """

    deviation: float
    freedom: int


def has_rule(groups: Iterable[Sequence[float]], images: int | None) -> bool:
    """Whether it is known before they are measured how far seeds spread.

    It is of accuracies as shares; of what is told in percent the rule says nothing.

    >>> has_rule([[0.7, 0.9], [0.4]], images=400), has_rule([[70.0, 90.0], [40.0]], images=400)
    (True, False)
    """
    return images is not None and all(0 <= fmean(values) <= 1 for values in groups)


def spreads(groups: Sequence[Sequence[float]], images: int | None) -> list[Spread]:
    """How far the seeds of each group spread; none is known before one has a second seed or there is a rule.

    By the rule all groups spread alike: what it says of the highest accuracy counts for some degrees of
    freedom, and the pooled deviation within all groups for the others. Without it each group's own variance
    is moderated by that of the others (Smyth 2004, "Linear models and empirical Bayes methods for assessing
    differential expression in microarray experiments", Stat. Appl. Genet. Mol. Biol. 3), of which only one
    degree counts: that holds 95% also where spreads differ a hundredfold (`benchmarks/calibration.py`).

    >>> spreads([[0.7, 0.9], [0.4]], images=None)
    [Spread(deviation=0.1414..., freedom=1), Spread(deviation=0.1414..., freedom=1)]
    >>> spreads([[0.7], [0.8]], images=400)
    [Spread(deviation=0.02, freedom=4), Spread(deviation=0.02, freedom=4)]
    """
    squares = [sum((value - fmean(values)) ** 2 for value in values) for values in groups]
    freedoms = [len(values) - 1 for values in groups]
    if images is not None and has_rule(groups, images):
        expected = accuracy_deviation(max(fmean(values) for values in groups), images)
        freedom = RULE_FREEDOM + sum(freedoms)
        pooled = math.sqrt((RULE_FREEDOM * expected**2 + sum(squares)) / freedom)
        return [Spread(pooled, freedom)] * len(groups)
    found = []
    for own, freedom in zip(squares, freedoms, strict=True):
        others = sum(freedoms) - freedom
        counts = min(_OTHERS_FREEDOM, others)
        lent = counts * (sum(squares) - own) / others if others else 0.0
        known = freedom + counts
        found.append(Spread(math.sqrt((own + lent) / known) if known else math.nan, known))
    return found


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
def _student_draws(freedoms: tuple[int, ...], alike: bool) -> NDArray[np.float64]:
    """Draws of the arms' errors in units of their measured deviations, (draws, arms)."""
    rng = np.random.default_rng(0)
    own = freedoms[:1] if alike else freedoms  # where arms spread alike, they share what is not known of it
    sigma = np.sqrt(own / rng.chisquare(own, size=(_DRAWS, len(own))))
    return np.asarray(sigma * rng.standard_normal((_DRAWS, len(freedoms))))


def _probabilities(
    arms: Mapping[int, Sequence[float]], spread: Mapping[int, Spread], alike: bool, maximise: bool
) -> dict[int, float]:
    """That each arm is the best; nothing while the spread of one is not known."""
    if not all(each.freedom for each in spread.values()):
        return {}
    means = np.array([fmean(values) for values in arms.values()])
    scale = [spread[arm].deviation / math.sqrt(len(values)) for arm, values in arms.items()]
    drawn = means + scale * _student_draws(tuple(each.freedom for each in spread.values()), alike)
    # Arms without any spread tie exactly; they share what they win.
    extreme = drawn.max(axis=1, keepdims=True) if maximise else drawn.min(axis=1, keepdims=True)
    won = drawn == extreme
    shares = (won / won.sum(axis=1, keepdims=True)).mean(axis=0)
    return {arm: float(share) for arm, share in zip(arms, shares, strict=True)}
