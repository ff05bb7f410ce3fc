"""Tables of configurations with their curves: `u` (n, parameters) from 0 to 1 and `curves` (n, epochs)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import FloatDistribution, json_to_distribution

from benchmarks.replay.tasks import Curve, Goal, Range, thinned, unit
from spaces.space import SearchSpace

# TaskSet's `adam8p` (Metz et al. 2020, arXiv:2002.11887), sampled log-uniformly; the betas as 1 - beta.
_TASKSET: dict[str, Range] = {
    "learning_rate": FloatDistribution(1e-8, 10.0, log=True),
    "one_minus_beta1": FloatDistribution(1e-4, 1.0, log=True),
    "one_minus_beta2": FloatDistribution(1e-6, 1.0, log=True),
    "epsilon": FloatDistribution(1e-10, 1e3, log=True),
    "l1": FloatDistribution(1e-8, 10.0, log=True),
    "l2": FloatDistribution(1e-8, 10.0, log=True),
    "linear_decay": FloatDistribution(1e-7, 1e-4, log=True),
    "exponential_decay": FloatDistribution(1e-6, 1e-3, log=True),
}


class Table:
    """A task whose trials get the nearest recorded configuration that their sweep has not used yet.

    Args:
        file: `NAME.npz`; a `NAME.json` beside it names the parameters and their ranges as Optuna's JSON,
            without it they are TaskSet's.
        epochs: of a whole training; curves are thinned to as many points. None: all that were recorded.
    """

    def __init__(self, file: Path, epochs: int | None = None) -> None:
        with np.load(file) as stored:
            self._units = stored["u"].astype(np.float64)
            curves = stored["curves"].astype(np.float64)
            self._seconds = stored["seconds"].astype(np.float64) if "seconds" in stored else None
        self.epochs = epochs or curves.shape[1]
        self._curves = curves[:, thinned(self.epochs, curves.shape[1])]
        self.name = f"{file.parent.name}:{file.stem}"
        self.space = SearchSpace(
            name="table", description=f"As recorded in {file.name}.", parameters=_ranges(file)
        )
        if self._units.shape != (len(self._curves), len(self.space.parameters)):
            raise ValueError(f"{file}: u has shape {self._units.shape}, the curves {self._curves.shape}")
        self.goal = Goal(
            best=float(np.nanmin(self._curves)),
            best_end=float(np.nanmin(self._curves[:, -1])),
            first=float(np.nanmedian(self._curves[:, 0])),
        )

    def session(self) -> _TableSession:
        """The table with every configuration to be had."""
        return _TableSession(self._units, self._curves, self._seconds, self.space)


class _TableSession:
    def __init__(
        self,
        units: NDArray[np.float64],
        curves: Curve,
        seconds: NDArray[np.float64] | None,
        space: SearchSpace,
    ) -> None:
        self._units, self._curves, self._times, self._space = units, curves, seconds, space
        self._free = np.ones(len(units), bool)
        self._rows: dict[int, int] = {}  # by trial

    def curve(self, number: int, params: Mapping[str, Any]) -> Curve:
        """Of the row that is the trial's from its first call on."""
        return np.asarray(self._curves[self._row(number, params)])

    def seconds(self, number: int, params: Mapping[str, Any]) -> float:
        """As recorded; 1 where no times were."""
        return 1.0 if self._times is None else float(self._times[self._row(number, params)])

    def _row(self, number: int, params: Mapping[str, Any]) -> int:
        if number not in self._rows:
            wish = [unit(_range(self._space, name), params[name]) for name in self._space.parameters]
            distance = ((self._units - np.array(wish)) ** 2).sum(1)
            distance[~self._free] = np.inf
            self._rows[number] = row = int(np.argmin(distance))
            self._free[row] = False
        return self._rows[number]


def _ranges(file: Path) -> dict[str, Range]:
    beside = file.with_suffix(".json")
    if not beside.exists():
        return _TASKSET
    ranges = {
        name: json_to_distribution(json.dumps(each)) for name, each in json.loads(beside.read_text()).items()
    }
    return {name: _numeric(each) for name, each in ranges.items()}


def _range(space: SearchSpace, name: str) -> Range:
    return _numeric(space.parameters[name])


def _numeric(distribution: object) -> Range:
    assert isinstance(distribution, Range), "tables hold numbers alone"
    return distribution
