"""Who has driven a sweep: a note of each launch in its study, and what is held against a trial for it."""

from __future__ import annotations

import logging
from typing import Any

import optuna
from optuna.trial import TrialState

from search.study.mirror import StudyMirror
from search.study.reading import record_of

_logger = logging.getLogger(__name__)

_TOLD_FROM = 2  # drivers in a row that died with a trial before the user hears of it: one means nothing


class Launches:
    """The launches of a sweep.

    Args:
        study: of the sweep.
        mirror: the study's storage.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> storage = InMemoryStorage()
        >>> _ = optuna.create_study(storage=storage, study_name="day")
        >>> mirror = StudyMirror(storage, "day", ranges={})
        >>> study = optuna.load_study(storage=mirror, study_name="day")
        >>> launches = Launches(study, mirror)
        >>> launches.append({"host": "one"}) is None  # nobody drove it before
        True
        >>> launches.append({"host": "two"}), launches.count
        ({'host': 'one'}, 2)
    """

    def __init__(self, study: optuna.Study, mirror: StudyMirror) -> None:
        self._study = study
        self._mirror = mirror

    @property
    def count(self) -> int:
        """How many there have been, the one that is under way included."""
        return len(self._study.user_attrs.get("launches", []))

    def append(self, launch: dict[str, Any]) -> dict[str, Any] | None:
        """Note who drives the sweep from now on; returns the note before it, if there is one."""
        launches = self._study.user_attrs.get("launches", [])
        self._study.set_user_attr("launches", [*launches, launch])
        return launches[-1] if launches else None

    def note_dead_driver(self) -> None:
        """The last driver died: each trial that it was training may be why. Before `append`."""
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.user_attrs.get("launch") != self.count:
                continue
            record = record_of(trial)
            lost = record.drivers_lost + 1
            self._mirror.set_trial_user_attr(trial.number, "drivers_lost", (lost, len(record.epochs)))
            if lost >= _TOLD_FROM:
                _logger.warning(
                    "%s: %d drivers in a row died while it was trained; if it is why, `skip_trial=%d` "
                    "gives it up",
                    record.key,
                    lost,
                    record.number,
                )
