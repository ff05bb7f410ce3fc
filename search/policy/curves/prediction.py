"""How frozen trials would end: what the finish of a sweep goes by."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from search.config.goals import Goal
from search.policy.curves.encoding import Encoding
from search.policy.curves.model import CurveModel
from search.policy.curves.table import Curve, CurveTable
from search.study.records import StopReason, TrialRecord
from spaces.space import SearchSpace

_FEWEST = 4  # curves to learn from
_FAILED = (StopReason.DIVERGED, StopReason.OOM)
_logger = logging.getLogger(__name__)


class CurvePredictor:
    """Foretells trials' last values from all curves of a sweep.

    The model is fitted anew for each state of the sweep, so that nothing but the records decides.

    Args:
        space: what is searched.
        max_epochs: of a trial that trains to its end.
        goal: of the sweep.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> CurvePredictor(SPACE, 9, Goal("val_acc", "maximize")).ends([], []) is None
        True
    """

    def __init__(self, space: SearchSpace, max_epochs: int, goal: Goal) -> None:
        self._model = CurveModel(Encoding(space), max_epochs)
        self._table = CurveTable(self._model.encoding.dimensions)
        self._records: Mapping[int, TrialRecord] = {}  # that the table has
        self._goal = goal
        self._told_of_failure = False

    def ends(self, records: Collection[TrialRecord], numbers: Sequence[int]) -> Sequence[float] | None:
        """How good these trials' last epochs would be, smaller being better; None: it cannot tell."""
        self._take_in(records)
        curves, model = self._table.curves(), self._model
        if np.isfinite(curves.bests).sum() < _FEWEST:
            return None
        try:
            observed = model.observed(curves)
            posterior = model.posterior(model.fitted(observed), observed)
        except np.linalg.LinAlgError as error:
            if not self._told_of_failure:
                _logger.warning("the model of the curves fails (%s): trials finish by rung and value", error)
            self._told_of_failure = True
            return None
        places = np.searchsorted(curves.numbers, numbers)
        asked = model.at(curves.points[places], model.max_epochs, places)
        return [float(mean) for mean in posterior.mean(asked)]

    def _take_in(self, records: Collection[TrialRecord]) -> None:
        """Put those into the table that are others than before."""
        before, self._records = self._records, {record.number: record for record in records}
        for number in before.keys() - self._records.keys():
            self._table.drop(number)
        for number, record in self._records.items():
            if before.get(number) is not record:
                self._table.put(number, self._curve(record))

    def _curve(self, record: TrialRecord) -> Curve:
        values = tuple(self._goal.sort_key(epoch.metrics[self._goal.metric]) for epoch in record.epochs)
        return Curve(
            self._model.encoding.point(record.params),
            tuple(epoch.epoch for epoch in record.epochs),
            values,
            record.stop_reason in _FAILED,
        )
