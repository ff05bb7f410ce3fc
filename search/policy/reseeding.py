"""Samplers whose draws follow from the sweep's seed, the trial's number and the history, and nothing else.

A driver that is killed and resumed then asks for the trials that it would have asked for anyway, and for none
twice.
"""

from __future__ import annotations

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from search.study.optuna_private import LazyRandomState


class Reseeded(BaseSampler):
    """A sampler whose random generators are seeded again for each trial; mixed into Optuna's.

    Example:
        >>> from optuna.samplers import RandomSampler
        >>> class Repeatable(Reseeded, RandomSampler): ...
        >>> def draw() -> float:
        ...     study = optuna.create_study(study_name="same", sampler=Repeatable(seed=0))
        ...     return study.ask().suggest_float("x", 0, 1)
        >>> draw() == draw()
        True
    """

    sweep_seed = 0

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As Optuna's, which is called before anything is drawn for a trial."""
        self.reseed(trial)
        super().before_trial(study, trial)

    def reseed(self, trial: FrozenTrial, attempt: int = 0) -> None:
        """Begin a trial's draws: the first ones, or others."""
        _reseed(self, (attempt,) if attempt else (), self.sweep_seed, trial.number)


def _reseed(sampler: BaseSampler, attempt: tuple[int, ...], *seed: int) -> None:
    for place, (_, part) in enumerate(sorted(vars(sampler).items())):
        if isinstance(part, LazyRandomState):
            sequence = np.random.SeedSequence([*seed, place], spawn_key=attempt)
            part.rng.seed(sequence.generate_state(4))
        elif isinstance(part, BaseSampler):
            _reseed(part, attempt, *seed, place)
