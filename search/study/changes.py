"""Which trials of a study are others than at the last look, so that nobody goes through all of them again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from optuna.trial import FrozenTrial


class Changes:
    """Remembers a study's trials, by number.

    A storage in memory puts another object in the place of a trial that changes, so that it is enough to
    compare objects. Where trials are read from a database all of them are others each time.

    Example:
        >>> import optuna
        >>> study = optuna.create_study()
        >>> changes, first = Changes(), study.ask()
        >>> [trial.number for trial in changes.since(study.get_trials(deepcopy=False))]
        [0]
        >>> second = study.ask()
        >>> [trial.number for trial in changes.since(study.get_trials(deepcopy=False))]
        [1]
        >>> first.report(0.5, step=1)
        >>> [trial.number for trial in changes.since(study.get_trials(deepcopy=False))]
        [0]
    """

    def __init__(self) -> None:
        self._seen: Sequence[FrozenTrial] = ()

    def since(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The trials that are new, or have changed.

        Args:
            trials: all of the study, by number; the newest may have been forgotten, and is then made again.
        """
        pairs = zip_longest(trials, self._seen)
        changed = [trial for trial, seen in pairs if trial is not seen and trial is not None]
        self._seen = trials
        return changed
