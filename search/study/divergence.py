"""How the study says that a trial diverged: a constraint, violated by the epochs that it lacks."""

from __future__ import annotations

from optuna.trial import FrozenTrial, Trial, TrialState

CONSTRAINT = "diverged"


def mark_diverged(trial: Trial, epochs_left: int) -> None:
    """Let the samplers know, before the trial ends, that it diverged, with `epochs_left` still to train."""
    if CONSTRAINT not in trial.constraints:  # else a killed driver had got so far
        trial.set_constraint(CONSTRAINT, max(1, epochs_left))


def has_diverged(trial: FrozenTrial) -> bool:
    """Whether a trial that has ended is marked so."""
    return trial.state is TrialState.PRUNED and CONSTRAINT in trial.constraints
