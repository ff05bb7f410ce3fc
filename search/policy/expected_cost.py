"""How long an epoch of a trial will take, from its parameters and the trials before it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.study.records import TrialRecord
from spaces.space import SearchSpace

_FEWEST = 5  # trials to learn from; with fewer the order in which they were asked for is as good
_RIDGE = 1e-2  # small beside a feature's own scale of 1, large enough where features depend on each other


class ExpectedCost:
    """A linear model of the logarithm of an epoch's seconds, fitted by ridge regression.

    In the logarithm, because parameters act on a network's cost by factors: so much per block, so much
    per channel. Only the order of its predictions is used.

    Args:
        space: tells each parameter's range.
        records: trials to learn from; those without an epoch are passed over.

    Example:
        >>> from optuna.trial import TrialState
        >>> from search.study.records import Epoch
        >>> from spaces.quickstart import SPACE
        >>> def trial(number: int, width: int, seconds: float) -> TrialRecord:
        ...     epoch = Epoch(1, {"val_acc": 0.5, "epoch_s": seconds}, timestamp_ms=1_000, worker="host:1")
        ...     params = {"depth": 2, "width": width, "lr": 0.1}
        ...     return TrialRecord(number, TrialState.COMPLETE, params, (epoch,), value=0.5)
        >>> timed = [trial(number, width, width / 8) for number, width in enumerate([8, 16, 24, 32] * 3)]
        >>> cost = ExpectedCost(SPACE, timed)
        >>> cost.order(trial(12, 32, 0.0)) > cost.order(trial(13, 8, 0.0))
        True
    """

    def __init__(self, space: SearchSpace, records: Sequence[TrialRecord]) -> None:
        self._space = space
        timed = [(record, seconds) for record in records if (seconds := _epoch_seconds(record)) > 0]
        self._weights: NDArray[np.float64] | None = None
        if len(timed) >= _FEWEST:
            features = np.array([self._features(record.params) for record, _ in timed])
            logs = np.array([math.log(seconds) for _, seconds in timed])
            # Two lines here, where scikit-learn's would keep the slots idle for a second as it is imported.
            gram = features.T @ features + _RIDGE * np.eye(features.shape[1])
            self._weights = np.linalg.solve(gram, features.T @ (logs - logs.mean()))

    def order(self, record: TrialRecord) -> float:
        """Larger for a trial whose epochs take longer; 0 for all while too few have been seen."""
        return 0.0 if self._weights is None else float(self._features(record.params) @ self._weights)

    def _features(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        columns = [1.0]
        for name, distribution in self._space.parameters.items():
            columns += _columns(distribution, params.get(name))
        return np.array(columns)


def _columns(distribution: BaseDistribution, value: Any) -> list[float]:
    """A choice as one column each; a number as where it lies in its range, from 0 to 1; absent as zeros."""
    if isinstance(distribution, CategoricalDistribution):
        return [float(value == choice) for choice in distribution.choices]
    if value is None:
        return [0.0]
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]  # both kinds of numbers have them
    if distribution.log:  # type: ignore[attr-defined]
        low, high, value = math.log(low), math.log(high), math.log(value)
    return [(value - low) / (high - low) if high > low else 0.0]


def _epoch_seconds(record: TrialRecord) -> float:
    return record.train_seconds / len(record.epochs) if record.epochs else 0.0
