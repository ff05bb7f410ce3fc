"""How many trials a sweep may still ask for: of its budget, and beyond it what somebody has enqueued."""

from __future__ import annotations

import math
import time

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.config.sweep_config import SweepConfig
from search.study.hand_outs import HandOut, hand_outs_of
from search.study.mirror import StudyMirror
from search.study.optuna_private import enqueued_params, is_grid_point
from search.study.reading import TrialCount

_GUESTS_EVERY_S = 1.0  # how often the end of a sweep looks for trials that somebody has enqueued


class Budget:
    """The trials of a sweep, counted.

    Args:
        config: the sweep.
        study: its study.
        mirror: the study's storage.

    Example:
        >>> from optuna.storages import InMemoryStorage
        >>> storage = InMemoryStorage()
        >>> _ = optuna.create_study(storage=storage, study_name="day")
        >>> mirror = StudyMirror(storage, "day", ranges={})
        >>> study = optuna.load_study(storage=mirror, study_name="day")
        >>> from spaces.quickstart import SPACE
        >>> config = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> budget = Budget(config, study, mirror)
        >>> trial = study.ask()
        >>> budget.recount()
        >>> budget.remaining()
        1
    """

    def __init__(self, config: SweepConfig, study: optuna.Study, mirror: StudyMirror) -> None:
        self.trials = config.most_trials  # that the sweep ends with; a grid ends when it is exhausted
        self._config = config
        self._study = study
        self._mirror = mirror
        self._count = TrialCount(self._takes_a_place)
        self._looked_at = -math.inf  # when guests were last looked for
        self.recount()

    def remaining(self) -> int:
        """Trials that may still be asked for."""
        return max(0, self.trials - self._asked) or self._waiting_beyond()

    def enqueued(self) -> int:
        """Trials that wait to be asked for."""
        return len(self._waiting())

    def handed_out(self) -> HandOut | None:
        """That of the first trial which an earlier driver asked for, and which no worker has begun."""
        return next((made[0] for trial in self._waiting() if (made := hand_outs_of(trial.user_attrs))), None)

    def take_in(self) -> None:
        """Count what somebody else has added to the study, too."""
        if self._mirror.take_in():
            self.recount()

    def recount(self) -> None:
        """Count again, after a change of the study."""
        self._asked = self._count.of(self._study.get_trials(deepcopy=False))

    def _takes_a_place(self, trial: FrozenTrial) -> bool:
        """Unless it is a guest's in a grid, from which that takes no point."""
        return self._config.sampler != "grid" or is_grid_point(trial) or "retry_of" in trial.user_attrs

    def _waiting_beyond(self) -> int:
        """How many trials wait, up to the last that a guest or a retry has enqueued: they need no budget."""
        if time.monotonic() - self._looked_at > _GUESTS_EVERY_S:
            self.take_in()
            self._looked_at = time.monotonic()
        waiting = enumerate(self._waiting(), 1)
        return max((place for place, trial in waiting if not self._is_own(trial)), default=0)

    def _waiting(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))

    def _is_own(self, trial: FrozenTrial) -> bool:
        """Whether a trial that waits has been asked for, or was enqueued when the sweep was made."""
        fixed = enqueued_params(trial)
        return bool(trial.params) or (
            trial.number < len(self._config.enqueue) and fixed in self._config.enqueue
        )
