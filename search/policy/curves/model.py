"""What is known of all curves, as a Gaussian process takes it: normal scores of a part of the values.

Values count by their ranks among the trials' last ones, as quantiles of a normal distribution (as Salinas et
al. 2020, arXiv:1909.13595, do): what a metric's scale is, where it saturates and how far off the worst are
then makes no difference. A trial that diverged or ran out of memory has the worst value at the epoch that it
did not reach. Of a curve the epochs 1, 3, 9, ... and the last one are enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.policy.curves.encoding import Encoding, Floats
from search.policy.curves.process import CurveProcess, Points, Posterior
from search.policy.curves.table import Curves

_MOST = 220  # values that the process is conditioned on; the time grows with the cube
_MOST_TO_FIT = 100  # and that its hyperparameters are fitted to
_EXTREME = 0.002  # the quantile of the best and the worst value at most


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
        >>> from search.policy.curves.table import Curve, CurveTable
        >>> from spaces.quickstart import SPACE
        >>> encoding = Encoding(SPACE)
        >>> model = CurveModel(encoding, max_epochs=9)
        >>> table = CurveTable(encoding.dimensions)
        >>> for number, lr in enumerate([0.1, 0.02, 0.3]):
        ...     point = encoding.point({"depth": 2, "width": 16, "lr": lr})
        ...     table.put(number, Curve(point, (1, 2, 3), (0.9, 0.8, 0.5 + lr), failed=False))
        >>> observed = model.observed(table.curves())
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

    def observed(self, curves: Curves) -> Observed:
        """What the process is told of these curves, by place; one of them at least has a value."""
        trial, column = np.nonzero(curves.epochs)
        epochs, values = curves.epochs[trial, column], curves.values[trial, column]
        is_last = np.diff(trial, append=-1) != 0
        scores = normal_scores(values, curves.lasts)
        least = normal_scores(curves.bests.min(keepdims=True), curves.lasts)[0]
        kept = _kept(scores, trial, is_last)
        trial, epochs, scores = trial[kept], epochs[kept], scores[kept]
        mean, spread = scores.mean(), max(float(scores.std()), 1e-6)
        points = Points(self.encoding.features(curves.points[trial]), self.times(epochs), trial)
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
        return Points(self.encoding.features(points), self.times([epoch]), own)


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


def _kept(scores: Floats, trial: NDArray[np.int64], is_last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which values are used: the trials' last ones, and the earlier ones of the best of them, best first."""
    if len(scores) <= _MOST:
        return np.arange(len(scores))
    last = np.zeros(int(trial.max()) + 1)
    last[trial[is_last]] = scores[is_last]
    order = np.lexsort((np.arange(len(scores)), last[trial], ~is_last))
    return np.sort(order[:_MOST])
