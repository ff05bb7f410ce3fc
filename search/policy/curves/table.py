"""The curves of a sweep's trials, in arrays: a trial that changes is put in anew, the others stay."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from search.policy.curves.encoding import Floats

_THINNING = 3  # epochs 1, 3, 9, ... of a curve, and its last one, are looked at


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

    @property
    def seen(self) -> list[tuple[int, float]]:
        """The epochs that are looked at, with their values; one that it failed in has the worst."""
        last = len(self.epochs) - 1
        seen = [
            (epoch, self.values[place])
            for place, epoch in enumerate(self.epochs)
            if place == last or _is_power(epoch)
        ]
        return [*seen, (self.epochs[-1] + 1 if self.epochs else 1, math.inf)] if self.failed else seen

    @property
    def last(self) -> float:
        """Its value now; the worst there is if it failed."""
        return self.values[-1] if self.values and not self.failed else math.inf


@dataclass(frozen=True)
class Curves:
    """The curves of several trials, by number.

    Example:
        >>> table = CurveTable(dimensions=1)
        >>> table.put(7, Curve(np.array([0.5]), epochs=(1, 2), values=(0.9, 0.7), failed=True))
        >>> table.curves().epochs[0].nonzero()[0].size  # 1, 2 and that in which it failed
        3
    """

    numbers: NDArray[np.int64]  # (n,), of the trials
    points: Floats  # (n, dimensions), their configurations
    lengths: NDArray[np.int64]  # (n,), epochs that they have reported
    lasts: Floats  # (n,), their values now; infinity of one that failed
    bests: Floats  # (n,), their best value at any epoch; infinity of one that has none
    epochs: NDArray[np.int64]  # (n, most), those that are looked at; 0 where there are no more
    values: Floats  # (n, most), at these epochs


class CurveTable:
    """Curves by the numbers of their trials.

    Args:
        dimensions: of the trials' points.

    Example:
        >>> table = CurveTable(dimensions=1)
        >>> table.put(7, Curve(np.array([0.5]), epochs=(1, 2), values=(0.9, 0.7), failed=False))
        >>> table.put(4, Curve(np.array([0.1]), epochs=(), values=(), failed=False))
        >>> table.curves().numbers.tolist()  # the other one has no curve yet
        [7]
    """

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._rows = np.zeros(0, self._row(most=1))

    def put(self, number: int, curve: Curve) -> None:
        """A trial's curve as it is now; one that has neither a value nor failed is none."""
        seen = curve.seen
        self._make_room(number + 1, len(seen))
        row = self._rows[number]
        row["there"], row["numbers"], row["points"] = bool(seen), number, curve.point
        row["lengths"], row["lasts"] = len(curve.epochs), curve.last
        row["bests"] = min(curve.values, default=math.inf)
        row["epochs"] = 0
        for place, (epoch, value) in enumerate(seen):
            row["epochs"][place], row["values"][place] = epoch, value

    def drop(self, number: int) -> None:
        """Forget a trial's curve."""
        self._rows[number]["there"] = False

    def curves(self, but: int = -1) -> Curves:
        """All that there are, without one trial's."""
        chosen = self._rows[self._rows["there"] & (self._rows["numbers"] != but)]
        return Curves(**{field.name: chosen[field.name] for field in fields(Curves)})

    def _row(self, most: int) -> np.dtype[np.void]:
        """A trial, of which so many epochs are looked at."""
        return np.dtype(
            [
                ("there", bool),
                ("numbers", np.int64),
                ("points", np.float64, (self._dimensions,)),
                ("lengths", np.int64),
                ("lasts", np.float64),
                ("bests", np.float64),
                ("epochs", np.int64, (most,)),
                ("values", np.float64, (most,)),
            ]
        )

    def _make_room(self, trials: int, most: int) -> None:
        """For so many trials, so many epochs of which are looked at."""
        before, width = self._rows, self._rows["epochs"].shape[1]
        if trials <= len(before) and most <= width:
            return
        more = max(trials, 2 * len(before)) if trials > len(before) else len(before)
        self._rows = np.zeros(more, self._row(max(most, width)))
        for name in before.dtype.names or ():
            known = before[name]
            self._rows[name][tuple(map(slice, known.shape))] = known


def _is_power(epoch: int) -> bool:
    while epoch > 1 and epoch % _THINNING == 0:
        epoch //= _THINNING
    return epoch == 1
