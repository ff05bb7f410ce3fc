"""What a sampler of new configurations goes by: its study's curves, what was tried, and what was fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from search.policy.curves.encoding import Encoding, Floats
from search.policy.curves.table import Curve, Curves, CurveTable
from search.study.changes import Changes
from search.study.lessons import Lesson, lesson
from search.study.optuna_private import enqueued_params, every_trial

NOTE = "curves"  # the attribute of a trial for which the model was fitted: its hyperparameters


class History:
    """A study's trials, of which only those are looked at that have changed since the last time.

    Args:
        encoding: of the space.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> study = optuna.create_study()
        >>> params = SPACE.suggest(study.ask())
        >>> encoding, other = Encoding(SPACE), study.ask()
        >>> history = History(encoding)
        >>> history.take_in(study)
        >>> len(history.untried(np.stack([encoding.point(params), np.full(3, 0.5)])))
        1
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._changes = Changes()
        self._table = CurveTable(encoding.dimensions)
        self._enqueued: set[int] = set()
        self._tried: dict[int, bytes] = {}
        self._fits: dict[int, Mapping[str, Any]] = {}

    def take_in(self, study: optuna.Study) -> None:
        """Look at what has changed."""
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        for trial in self._changes.since(every_trial(study)):
            number, curve = trial.number, self._curve(trial, sign)
            self._table.put(number, curve)
            self._tried[number] = _keys(curve.point[None])[0]
            self._enqueued.discard(number)
            self._fits.pop(number, None)  # one that was forgotten had this number
            if enqueued_params(trial) is not None:
                self._enqueued.add(number)
            if "hyperparameters" in trial.system_attrs.get(NOTE, {}):
                self._fits[number] = trial.system_attrs[NOTE]

    def curves(self, but: int) -> Curves:
        """The curves of those that have one, or have failed by what they are, without one trial's."""
        return self._table.curves(but)

    def place(self, number: int) -> int:
        """How many trials before one were not enqueued."""
        return number - sum(enqueued < number for enqueued in self._enqueued)

    def untried(self, candidates: Floats) -> Floats:
        """Those that no trial has; all of them if each was tried."""
        known = set(self._tried.values())
        untried = [place for place, key in enumerate(_keys(candidates)) if key not in known]
        return candidates[untried] if untried else candidates

    def newest_fit(self) -> Mapping[str, Any] | None:
        """The newest hyperparameters in the study."""
        return self._fits[max(self._fits)] if self._fits else None

    def _curve(self, trial: FrozenTrial, sign: float) -> Curve:
        values = sorted(trial.intermediate_values.items())
        values = [(step, value) for step, value in values if math.isfinite(value) and step > 0]
        return Curve(
            self._encoding.point(trial.params),
            tuple(step for step, _ in values),
            tuple(sign * value for _, value in values),
            lesson(trial) is not Lesson.FINE,
        )


def _keys(points: Floats) -> list[bytes]:
    """What is the same for points that are the same configuration."""
    return [row.tobytes() for row in np.where(np.isnan(points), -1.0, np.round(points, 9))]
