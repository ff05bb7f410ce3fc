"""A parameter as an axis: as long as its range in the space, and logarithmic where that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search.results.digits import shown

_MARGIN = 0.05  # of the range's length, on either side
_MOST_TICKS = 4


@dataclass(frozen=True)
class ParameterAxis:
    """A parameter as an axis of even steps: logarithms where the space is logarithmic, choices side by side.

    Example:
        >>> axis = ParameterAxis("lr", FloatDistribution(1e-4, 1.0, log=True))
        >>> axis.position(0.01), axis.bounds
        (-2.0, (-4.0, 0.0))
        >>> axis.ticks
        {-4.0: '0.0001', -3.0: '0.001', -2.0: '0.01', -1.0: '0.1', 0.0: '1'}
        >>> ParameterAxis("depth", IntDistribution(1, 3)).ticks
        {1.0: '1', 2.0: '2', 3.0: '3'}
    """

    name: str
    distribution: BaseDistribution

    @property
    def is_number(self) -> bool:
        """Whether what lies between two positions means anything."""
        return isinstance(self.distribution, FloatDistribution | IntDistribution)

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the range begins and ends."""
        match self.distribution:
            case FloatDistribution() | IntDistribution():
                return self._place(self.distribution.low), self._place(self.distribution.high)
            case CategoricalDistribution():
                return 0.0, float(len(self.distribution.choices) - 1)
        raise AssertionError(f"no axis for {self.distribution}")

    @property
    def span(self) -> tuple[float, float]:
        """The bounds with a margin, so that nothing is drawn upon the frame."""
        low, high = self.bounds
        margin = _MARGIN * (high - low) if high > low else 0.5
        if not self.is_number:
            margin = 0.5
        return low - margin, high + margin

    @property
    def ticks(self) -> dict[float, str]:
        """Texts by position: all choices, whole numbers for whole numbers, powers of ten for logarithms."""
        match self.distribution:
            case CategoricalDistribution():
                return {float(place): shown(each) for place, each in enumerate(self.distribution.choices)}
            case FloatDistribution() | IntDistribution():
                low, high = self.distribution.low, self.distribution.high
                if self.distribution.log:
                    values = _log_ticks(low, high)
                else:
                    whole = isinstance(self.distribution, IntDistribution)
                    locator = MaxNLocator(_MOST_TICKS, integer=whole, steps=[1, 2, 5, 10])
                    values = [round(float(each), 12) for each in locator.tick_values(low, high)]
                return {self._place(value): f"{value:g}" for value in values if low <= value <= high}
        raise AssertionError(f"no axis for {self.distribution}")

    def position(self, value: object) -> float | None:
        """Where a value lies; None where the trial has none, or one that the space cannot hold."""
        if value is None and self.is_number:
            return None
        try:
            place = self.distribution.to_internal_repr(value)
        except ValueError:
            return None
        return self._place(place) if self.is_number else place

    def _place(self, value: float) -> float:
        logarithmic = (
            isinstance(self.distribution, FloatDistribution | IntDistribution) and self.distribution.log
        )
        return math.log10(value) if logarithmic else float(value)


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, or 1, 2 and 5 times these where there are fewer than two."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [exponent for exponent in exponents if low <= 10.0**exponent <= high]
    if len(powers) > 1:
        return [float(f"1e{exponent}") for exponent in powers[:: -(-len(powers) // (_MOST_TICKS + 1))]]
    return [float(f"{digit}e{exponent}") for exponent in exponents for digit in (1, 2, 5)]
