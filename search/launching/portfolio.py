"""Which configurations of earlier sweeps a new one tries first: together, good for each of those sweeps.

What one sweep has found the others have not tried, so a model of each sweep's curves says how it would have
done there. The first one chosen is the best on average over the sweeps; each further one is what adds most
to those before, on average over the best of them for each sweep (Feurer et al. 2022, "Auto-Sklearn 2.0",
arXiv:2007.04074, chooses so among configurations that were tried everywhere).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from search.policy.curves.encoding import Encoding, Floats
from search.policy.curves.model import CurveModel
from search.policy.curves.table import Curve, CurveTable
from spaces.space import ParamValue, SearchSpace

_OF_EACH = 20  # configurations of a sweep that are looked at
_MOST = 10  # that are chosen
_NEARLY_SAME = 0.1  # of a range, in every parameter

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What an earlier sweep has found, as far as a new one can have it.

    Attributes:
        name: of the sweep.
        configurations: in the new one's space, the best first.
        curves: of its trials, at points of the new one's space.
        max_epochs: of a trial that trained to its end.

    Example:
        >>> curve = Curve(np.array([0.5]), epochs=(1, 2), values=(0.9, 0.7), failed=False)
        >>> Found("night", [{"lr": 0.1}], [curve], max_epochs=2).configurations[0]["lr"]
        0.1
    """

    name: str
    configurations: Sequence[Mapping[str, ParamValue]]
    curves: Sequence[Curve]
    max_epochs: int


def portfolio(found: Sequence[Found], space: SearchSpace) -> list[dict[str, ParamValue]]:
    """Distinct configurations, the one to try first before the others; at most ten.

    Args:
        found: by earlier sweeps; perhaps nothing that the new one can have.
        space: of the new sweep.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> best = [{"depth": 2, "width": 32, "lr": 0.1}, {"depth": 1, "width": 8, "lr": 0.01}]
        >>> [each["depth"] for each in portfolio([Found("night", best, [], max_epochs=9)], SPACE)]
        [2, 1]
    """
    candidates = _candidates(found)
    if not candidates:
        return []
    encoding = Encoding(space)
    points = np.array([encoding.point(each) for each in candidates])
    opinions = np.array([_opinion(each, candidates, points, encoding) for each in found])
    reached = np.full(len(found), np.inf)  # by the chosen ones, in each sweep
    left = list(range(len(candidates)))
    chosen: list[dict[str, ParamValue]] = []
    while left and len(chosen) < _MOST:
        totals = np.minimum(reached[:, None], opinions).sum(axis=0)
        # Once every sweep has its best, none adds anything: then the best on average comes first.
        best = min(left, key=lambda place: (totals[place], opinions[:, place].sum()))
        reached = np.minimum(reached, opinions[:, best])
        chosen.append(dict(candidates[best]))
        left = [place for place in left if not _nearly_same(points[place], points[best])]
    return chosen


def _candidates(found: Sequence[Found]) -> list[Mapping[str, ParamValue]]:
    """The best of each sweep, then the second of each and so on."""
    candidates: list[Mapping[str, ParamValue]] = []
    in_turn = itertools.zip_longest(*(each.configurations[:_OF_EACH] for each in found))
    for values in itertools.chain.from_iterable(in_turn):
        if values is not None and values not in candidates:  # None: of a sweep with fewer than others
            candidates.append(values)
    return candidates


def _opinion(
    found: Found, candidates: Sequence[Mapping[str, ParamValue]], points: Floats, encoding: Encoding
) -> Floats:
    """How good a sweep's model holds each candidate to be at its end: smaller is better, deviations from 0.

    Of its own configurations the sweep knows the order, confirmed ones before others: only how far they lie
    apart is the model's word. A sweep without curves has no opinion.
    """
    expected = _expected(found, points, encoding)
    own = list(dict.fromkeys(candidates.index(each) for each in found.configurations[:_OF_EACH]))
    expected[own] = np.sort(expected[own])
    return expected


def _expected(found: Found, points: Floats, encoding: Encoding) -> Floats:
    table = CurveTable(encoding.dimensions)
    for number, curve in enumerate(found.curves):
        table.put(number, curve)
    curves = table.curves()
    if not np.isfinite(curves.bests).any():
        return np.zeros(len(points))
    unknown = np.isnan(curves.points).all(axis=0)  # parameters that the sweep does not have
    model = CurveModel(encoding, found.max_epochs)
    observed = model.observed(curves)
    try:
        posterior = model.posterior(model.fitted(observed), observed)
    except np.linalg.LinAlgError as error:
        _logger.warning(
            "learning from %s: its curves fit no model (%s): its best are taken", found.name, error
        )
        return np.zeros(len(points))
    return posterior.mean(model.at(np.where(unknown, np.nan, points), found.max_epochs))


def _nearly_same(a: Floats, b: Floats) -> bool:
    return float(np.max(np.nan_to_num(np.abs(a - b), nan=0.0))) < _NEARLY_SAME
