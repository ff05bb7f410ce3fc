"""Tables of configurations with their curves: `u` (n, parameters) from 0 to 1 and `curves` (n, epochs)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import FloatDistribution, json_to_distribution

from benchmarks.replay.tasks import Goal, Range, best_of_random, thinned, unit, value_at
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
            without it they are TaskSet's. It may hold the `seconds` of each configuration's epoch.
        epochs: of a whole training; curves are thinned to as many points. None: all that were recorded.
    """

    discrete = True

    def __init__(self, file: Path, epochs: int | None = None) -> None:
        with np.load(file) as stored:
            self.units = stored["u"].astype(np.float64)
            curves = stored["curves"].astype(np.float64)
            times = stored["seconds"].astype(np.float64) if "seconds" in stored else np.ones(len(curves))
        self.epochs = epochs or curves.shape[1]
        self.curves = curves[:, thinned(self.epochs, curves.shape[1])]
        self.seconds = times / np.median(times)
        self.name = f"{file.parent.name}:{file.stem}"
        self.ranges = _ranges(file)
        self.space = SearchSpace(
            name="table", description=f"As recorded in {file.name}.", parameters=self.ranges
        )
        if self.units.shape != (len(self.curves), len(self.ranges)):
            raise ValueError(f"{file}: u has shape {self.units.shape}, the curves {self.curves.shape}")
        self.goal = Goal(
            best=float(np.nanmin(self.curves)),
            best_end=float(np.nanmin(self.curves[:, -1])),
            first=float(np.nanmedian(self.curves[:, 0])),
            random_end=best_of_random(self.curves[:, -1]),
        )

    def session(self) -> _TableSession:
        """The table with every configuration to be had."""
        return _TableSession(self)


class _TableSession:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._free = np.ones(len(table.units), bool)
        self._rows: dict[int, int] = {}  # by trial

    def had(self, number: int, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of the row that is the trial's from its first call on.

        Raises:
            LookupError: the sweep has used every row.
        """
        ranges = self._table.ranges
        if number not in self._rows:
            if not self._free.any():
                raise LookupError(f"{self._table.name} has no configuration left: give a smaller budget")
            at = np.array([unit(each, wish[name]) for name, each in ranges.items()])
            distance = ((self._table.units - at) ** 2).sum(1)
            distance[~self._free] = np.inf
            self._rows[number] = row = int(np.argmin(distance))
            self._free[row] = False
        places = self._table.units[self._rows[number]]
        return {name: value_at(ranges[name], at) for name, at in zip(ranges, places, strict=True)}

    def value(self, number: int, epoch: int) -> float:
        """As recorded."""
        return float(self._table.curves[self._rows[number], epoch - 1])

    def end(self, number: int) -> float:
        """As recorded."""
        return self.value(number, self._table.epochs)

    def seconds(self, number: int) -> float:
        """As recorded; 1 where no times were."""
        return float(self._table.seconds[self._rows[number]])


def _ranges(file: Path) -> dict[str, Range]:
    beside = file.with_suffix(".json")
    if not beside.exists():
        return _TASKSET
    ranges = {
        name: json_to_distribution(json.dumps(each)) for name, each in json.loads(beside.read_text()).items()
    }
    return {name: _numeric(each) for name, each in ranges.items()}


def _numeric(distribution: object) -> Range:
    assert isinstance(distribution, Range), "tables hold numbers alone"
    return distribution
