"""A Gaussian process over (configuration, epoch) that holds whole learning curves.

    k = sx M(x, x') (c + (1 - c) R(t, t')) + st R(t, t') + si [same trial] R(t, t') + noise

M is a Matern 5/2 kernel with a length scale for each parameter (Snoek et al. 2012, arXiv:1206.2944), R a
squared exponential one over t, the logarithm of the epoch from 0 to 1. Configurations that are alike have
curves that are alike, by a share c at all epochs; what is left is every trial's own, which only its own
epochs tell of: that is how a frozen trial's end is foretold from its beginning and from its neighbours
(freeze-thaw: Swersky et al. 2014, arXiv:1406.3896, with another kernel over the epochs). The hyperparameters
are the most probable ones under normal priors on their logarithms, searched from one fixed start, so that
they follow from the data alone.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from search.policy.curves.encoding import Floats

# Of lt (R's length scale), sx, c (its logit), st, si and the noise: the logarithms at which they are most
# probable before there are data, and how far they may be from there.
_MEANS = np.array([math.log(0.5), 0.0, 0.0, math.log(0.3), math.log(0.1), math.log(1e-3)])
_SPREADS = np.array([0.7, 1.0, 1.5, 1.0, 1.0, 1.0])
_LENGTH, _LENGTH_SPREAD = math.log(0.7), 1.0
_WITHIN = 4.0  # spreads
_ITERATIONS = 20
_JITTER = 1e-6
_SQRT5 = math.sqrt(5.0)


@dataclass(frozen=True)
class Points:
    """Where curves are known or asked for.

    Example:
        >>> points = Points(np.array([[0.1], [0.9]]), np.array([0.0, 0.5]), np.array([0, 1]))
        >>> points[np.array([1])].t.tolist()
        [0.5]
    """

    x: Floats  # (n, columns), features of the configurations
    t: Floats  # (n,), logarithms of the epochs from 0 to 1; (1,) where it is the same for all
    trial: NDArray[np.int64]  # (n,), whose curve it is; negative: of a trial that there is not yet

    def __getitem__(self, chosen: NDArray[np.int64]) -> Points:
        return Points(self.x[chosen], self.t[chosen], self.trial[chosen])


class CurveProcess:
    """The process before it has seen data.

    Args:
        columns: the parameter, from 0, that each column of the features belongs to.

    Example:
        >>> process = CurveProcess(np.array([0]))
        >>> points = Points(np.array([[0.1], [0.9]]), np.array([0.0, 0.0]), np.array([0, 1]))
        >>> theta = process.fitted(points, np.array([-1.0, 1.0]))
        >>> mean, sd = process.given(theta, points, np.array([-1.0, 1.0])).predict(points)
        >>> bool(mean[0] < mean[1])
        True
    """

    def __init__(self, columns: NDArray[np.int64]) -> None:
        self._columns = columns
        self._d = int(columns.max()) + 1
        self._mean = np.concatenate([np.full(self._d, _LENGTH), _MEANS])
        self._spread = np.concatenate([np.full(self._d, _LENGTH_SPREAD), _SPREADS])

    def fitted(self, points: Points, y: Floats) -> Floats:
        """The most probable hyperparameters, (dimensions + 6,), all as logarithms."""
        from scipy.optimize import minimize  # takes half a second, which only this sampler needs

        bounds = list(
            zip(self._mean - _WITHIN * self._spread, self._mean + _WITHIN * self._spread, strict=True)
        )
        with _one_thread():
            found = minimize(
                self._loss,
                self._mean,
                (points, y),
                "L-BFGS-B",
                jac=True,
                bounds=bounds,
                options={"maxiter": _ITERATIONS},
            )
        return np.asarray(found.x)

    def given(self, theta: Floats, points: Points, y: Floats) -> Posterior:
        """The process after these values at these points.

        Raises:
            LinAlgError: they cannot be explained, for numerical reasons.
        """
        return Posterior(self, theta, points, y)

    def covariance(self, theta: Floats, a: Points, b: Points) -> Floats:
        """Without noise, (a, b)."""
        parts = self._parts(theta, a, b)
        sx, st, si = np.exp(theta[self._d + 1]), np.exp(theta[self._d + 3]), np.exp(theta[self._d + 4])
        return np.asarray(sx * parts.m * parts.time + (st + si * parts.same) * parts.r)

    def variance(self, theta: Floats) -> float:
        """Of any point before there are data."""
        return float(np.exp(theta[self._d + 1]) + np.exp(theta[self._d + 3]) + np.exp(theta[self._d + 4]))

    def _parts(self, theta: Floats, a: Points, b: Points) -> _Parts:
        scale = np.exp(-theta[self._columns])
        distance = np.sqrt(_squared_distances(a.x * scale, b.x * scale))
        decay = np.exp(-_SQRT5 * distance)
        m = (1 + _SQRT5 * distance + 5 / 3 * distance**2) * decay
        dt = (a.t[:, None] - b.t[None]) ** 2
        r = np.exp(-0.5 * dt * np.exp(-2 * theta[self._d]))
        c = 1 / (1 + np.exp(-theta[self._d + 2]))
        same = (a.trial[:, None] == b.trial[None]) & (a.trial[:, None] >= 0)
        return _Parts(distance, decay, m, dt, r, float(c), c + (1 - c) * r, same)

    def _loss(self, theta: Floats, points: Points, y: Floats) -> tuple[float, Floats]:
        """The negative logarithm of the posterior density, and its gradient."""
        from scipy.linalg import cho_solve

        d, n = self._d, len(y)
        parts = self._parts(theta, points, points)
        sx, st, si, noise = (float(np.exp(theta[d + place])) for place in (1, 3, 4, 5))
        kx = sx * parts.m * parts.time
        k = kx + (st + si * parts.same) * parts.r
        k[np.diag_indices(n)] += noise + _JITTER
        away = (theta - self._mean) / self._spread
        try:
            lower = np.linalg.cholesky(k)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(theta)  # the search turns back
        inverse = cho_solve((lower, True), np.eye(n))
        alpha = inverse @ y
        loss = 0.5 * y @ alpha + np.log(np.diag(lower)).sum() + 0.5 * (away**2).sum()
        g = 0.5 * (inverse - np.outer(alpha, alpha))
        gradient = away / self._spread
        slope = (1 + _SQRT5 * parts.distance) * parts.decay  # of M, without its factor
        gradient[:d] += self._by_lengths(theta, points, g * sx * parts.time * (5 / 3) * slope)
        dr = parts.r * parts.dt * np.exp(-2 * theta[d])
        gradient[d] += (g * (sx * parts.m * (1 - parts.c) + st + si * parts.same) * dr).sum()
        gradient[d + 1] += (g * kx).sum()
        gradient[d + 2] += (g * sx * parts.m * (1 - parts.r)).sum() * parts.c * (1 - parts.c)
        gradient[d + 3] += (g * st * parts.r).sum()
        gradient[d + 4] += (g * si * parts.same * parts.r).sum()
        gradient[d + 5] += np.trace(g) * noise
        return float(loss), gradient

    def _by_lengths(self, theta: Floats, points: Points, shape: Floats) -> Floats:
        """The loss's slope by each length scale's logarithm: sum of shape (x_j - x'_j)^2 / length_j^2."""
        rows = shape.sum(1)
        x = points.x
        by_column = 2 * ((rows[:, None] * x * x).sum(0) - (x * (shape @ x)).sum(0))
        by_parameter = np.bincount(self._columns, by_column, self._d).astype(np.float64)
        return np.asarray(by_parameter * np.exp(-2 * theta[: self._d]))


@dataclass(frozen=True)
class _Parts:
    distance: Floats
    decay: Floats
    m: Floats
    dt: Floats
    r: Floats
    c: float
    time: Floats
    same: NDArray[np.bool_]


class Posterior:
    """The process after it has seen data.

    Example:
        >>> points = Points(np.array([[0.1], [0.9]]), np.array([0.0, 0.0]), np.array([0, 1]))
        >>> process, y = CurveProcess(np.array([0])), np.array([-1.0, 1.0])
        >>> mean, sd = Posterior(process, process.fitted(points, y), points, y).predict(points)
        >>> mean.shape, sd.shape
        ((2,), (2,))
    """

    def __init__(self, process: CurveProcess, theta: Floats, points: Points, y: Floats) -> None:
        from scipy.linalg import cho_solve

        self._process, self._theta, self._points = process, theta, points
        with _one_thread():
            k = process.covariance(theta, points, points)
            k[np.diag_indices(len(y))] += np.exp(theta[-1]) + _JITTER
            self._lower = np.linalg.cholesky(k)
            self._alpha = cho_solve((self._lower, True), y)

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the curves at each point, without noise."""
        from scipy.linalg import solve_triangular

        with _one_thread():
            k = self._with_known(points)
            v = solve_triangular(self._lower, k.T, lower=True, check_finite=False)
            variance = self._process.variance(self._theta) - (v * v).sum(0)
            return k @ self._alpha, np.sqrt(np.maximum(variance, 1e-10))

    def mean(self, points: Points) -> Floats:
        """The mean alone, which takes a fraction of the time."""
        with _one_thread():
            return np.asarray(self._with_known(points) @ self._alpha)

    def _with_known(self, points: Points) -> Floats:
        return self._process.covariance(self._theta, points, self._points)


def _squared_distances(a: Floats, b: Floats) -> Floats:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None]
    return np.asarray(np.maximum(squares - 2 * a @ b.T, 0.0))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let numpy and scipy calculate in this thread alone.

    Matrices so small take longer in several, many times as long where the trials keep the cores busy. And
    what is calculated then does not depend on how many cores there are.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _libraries() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  # brings a library of its own, beside numpy's

    return ThreadpoolController()
