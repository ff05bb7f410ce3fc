"""What is known of all curves, as a Gaussian process takes it: normal scores of a part of the values.

Values count by their ranks among the trials' last ones, as quantiles of a normal distribution (as Salinas et
al. 2020, arXiv:1909.13595, do): what a metric's scale is, where it saturates and how far off the worst are
then makes no difference. A trial that diverged or ran out of memory has the worst value at the epoch that it
did not reach. Of a curve the epochs 1, 3, 9, ... and the last one are enough.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.policy.curves.encoding import Encoding, Floats
from search.policy.curves.process import CurveProcess, Points, Posterior

_THINNING = 3  # epochs 1, 3, 9, ... of a curve
_MOST = 220  # values that the process is conditioned on; the time grows with the cube
_MOST_TO_FIT = 100  # and that its hyperparameters are fitted to
_EXTREME = 0.002  # the quantile of the best and the worst value at most


@dataclass(frozen=True)
class Curve:
    """What a trial has reported, smaller being better.

    Example:
        >>> Curve(np.array([0.5]), epochs=(1, 2), values=(0.9, 0.7), failed=False).last
        0.7
    """

    point: Floats  # its configuration: see `Encoding`
    epochs: tuple[int, ...]
    values: tuple[float, ...]
    failed: bool  # diverged or out of memory, in the epoch after the last

    @functools.cached_property
    def seen(self) -> list[tuple[int, float, bool]]:
        """The epochs that are looked at, with their values, and whether it is the last of them."""
        last = len(self.epochs) - 1
        seen = [
            (epoch, self.values[place], place == last and not self.failed)
            for place, epoch in enumerate(self.epochs)
            if place == last or _is_power(epoch)
        ]
        return [*seen, (self.epochs[-1] + 1 if self.epochs else 1, math.inf, True)] if self.failed else seen

    @functools.cached_property
    def last(self) -> float:
        """Its value now; the worst there is if it failed."""
        return self.values[-1] if self.values and not self.failed else math.inf


@dataclass(frozen=True)
class Observed:
    """What the process is told.

    Example:
        >>> points = Points(np.array([[0.1], [0.9]]), np.array([0.0, 0.0]), np.array([0, 1]))
        >>> observed = Observed(points, y=np.array([-1.0, 1.0]), best=-1.0)
        >>> observed.some()[1].tolist()  # so few are all taken
        [-1.0, 1.0]
    """

    points: Points
    y: Floats
    best: float  # the best value of any trial at any epoch, on y's scale

    def some(self) -> tuple[Points, Floats]:
        """A part to fit hyperparameters to: the best half, and of the rest evenly many at each rank."""
        if len(self.y) <= _MOST_TO_FIT:
            return self.points, self.y
        order, half = np.argsort(self.y, kind="stable"), _MOST_TO_FIT // 2
        rest = order[half:]
        spread = rest[np.linspace(0, len(rest) - 1, half).astype(int)]
        chosen = np.concatenate([order[:half], spread])
        return self.points[chosen], self.y[chosen]


class CurveModel:
    """Learning curves over a space.

    Args:
        encoding: of the space.
        max_epochs: of a trial that trains to its end.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> encoding = Encoding(SPACE)
        >>> model = CurveModel(encoding, max_epochs=9)
        >>> def curve(lr: float) -> Curve:
        ...     point = encoding.point({"depth": 2, "width": 16, "lr": lr})
        ...     return Curve(point, (1, 2, 3), (0.9, 0.8, 0.5 + lr), failed=False)
        >>> observed = model.observed([curve(0.1), curve(0.02), curve(0.3)])
        >>> mean, sd = model.posterior(model.fitted(observed), observed).predict(observed.points)
        >>> mean.shape
        (6,)
    """

    def __init__(self, encoding: Encoding, max_epochs: int) -> None:
        self.encoding = encoding
        self.max_epochs = max_epochs
        self._process = CurveProcess(encoding.columns)

    def times(self, epochs: NDArray[np.int64] | Sequence[int]) -> Floats:
        """The logarithms of epochs, from 0 at the first to 1 at the last one."""
        within = np.clip(np.asarray(epochs, float), 1, self.max_epochs)
        return np.asarray(np.log(within) / math.log(max(self.max_epochs, 2)))

    def observed(self, curves: Sequence[Curve]) -> Observed:
        """What the process is told of these curves, by place; one of them at least has a value."""
        rows = [(place, *seen) for place, curve in enumerate(curves) for seen in curve.seen]
        trial = np.array([row[0] for row in rows], np.int64)
        epochs = np.array([row[1] for row in rows], np.int64)
        lasts = np.array([curve.last for curve in curves if curve.values or curve.failed])
        scores = normal_scores(np.array([row[2] for row in rows]), lasts)
        best = min(min(curve.values) for curve in curves if curve.values)
        least = normal_scores(np.array([best]), lasts)[0]
        is_last = np.array([row[3] for row in rows], bool)
        kept = _kept(scores, trial, is_last)
        trial, epochs, scores = trial[kept], epochs[kept], scores[kept]
        features = self.encoding.features(np.stack([curve.point for curve in curves]))
        mean, spread = scores.mean(), max(float(scores.std()), 1e-6)
        points = Points(features[trial], self.times(epochs), trial)
        return Observed(points, (scores - mean) / spread, float((least - mean) / spread))

    def fitted(self, observed: Observed) -> Floats:
        """The process's hyperparameters."""
        return self._process.fitted(*observed.some())

    def posterior(self, theta: Floats, observed: Observed) -> Posterior:
        """What is to be expected where nothing was observed.

        Raises:
            LinAlgError: as `CurveProcess.given`.
        """
        return self._process.given(theta, observed.points, observed.y)

    def at(self, points: Floats, epoch: int, trial: NDArray[np.int64] | None = None) -> Points:
        """Configurations at an epoch: of the trials at these places, or of such that are not tried yet."""
        n = len(points)
        own = np.full(n, -1, np.int64) if trial is None else trial
        return Points(self.encoding.features(points), self.times(np.full(n, epoch)), own)


def normal_scores(values: Floats, lasts: Floats) -> Floats:
    """Each value's quantile among the last ones, as that of a normal distribution."""
    from scipy.special import ndtri

    known, counts = np.unique(lasts, return_counts=True)
    ranks = np.cumsum(counts) - (counts + 1) / 2  # equal values share theirs
    finite = np.isfinite(known)
    place = np.full(len(values), ranks[-1])  # failed trials are the last of `known` together
    if finite.any():
        within = np.isfinite(values)
        place[within] = np.interp(values[within], known[finite], ranks[finite])
    quantiles = (place + 0.5) / len(lasts)
    return np.asarray(ndtri(np.clip(quantiles, _EXTREME, 1 - _EXTREME)))


def _is_power(epoch: int) -> bool:
    while epoch > 1 and epoch % _THINNING == 0:
        epoch //= _THINNING
    return epoch == 1


def _kept(scores: Floats, trial: NDArray[np.int64], is_last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which values are used: the trials' last ones, and the earlier ones of the best of them, best first."""
    if len(scores) <= _MOST:
        return np.arange(len(scores))
    last = np.zeros(int(trial.max()) + 1)
    last[trial[is_last]] = scores[is_last]
    order = np.lexsort((np.arange(len(scores)), last[trial], ~is_last))
    return np.sort(order[:_MOST])
