"""Up to which epoch a trial was given to a worker, and why: an attribute of the trial in the study."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

WHY_DRAWN = "why_drawn"  # a trial's system attribute: why its sampler chose this configuration, in words
HAND_OUTS = "hand_outs"  # a trial's user attribute: all of them, the first one first
_PREFIX_OF_ONE = "handed_out:"  # of the attributes of earlier versions, which had one for each


@dataclass(frozen=True)
class HandOut:
    """A trial was given to a worker to be trained up to an epoch, and why.

    Example:
        >>> HandOut(until=9, cost=6, reports=40, why="best third of rung 3").until
        9
    """

    until: int | None  # the epoch that it freezes at; None: it trains to its end
    cost: int  # epochs to train for that: of a trial whose checkpoint is gone, from the first one on
    reports: int  # epochs that the study held when this was decided
    why: str

    def to_json(self) -> dict[str, Any]:
        """The hand-out as plain JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**data)


def hand_outs_of(attrs: Mapping[str, Any]) -> tuple[HandOut, ...]:
    """A trial's hand-outs, by its user attributes, the first one first."""
    if HAND_OUTS in attrs:
        return tuple(map(HandOut.from_json, attrs[HAND_OUTS]))
    return tuple(HandOut.from_json(attrs[key]) for key in sorted(attrs) if key.startswith(_PREFIX_OF_ONE))
