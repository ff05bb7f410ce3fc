"""A sampler and a pruner tried in memory, before anything starts: what they would refuse in the middle."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from optuna.samplers import RandomSampler

from search.config.model import one_line
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.policy.making import make_policy

_PAST_TRIALS = 12  # more than any sampler draws at random before it looks at them
_LONGEST_START = 10


def rehearse(config: SweepConfig) -> None:
    """Have a trial asked for, reported and judged; given arguments, by a sampler with a past to learn from.

    Samplers look at most of their arguments only after their first, random trials.

    Raises:
        UserError: an argument is unknown, or of a type or value that they cannot work with.
    """
    args = {**config.sampler_args, **config.pruner_args}
    policy = make_policy(config.model_copy(update={"sampler_args": _soon(config.sampler_args)}))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction=config.direction, sampler=RandomSampler(seed=config.seed), pruner=policy.pruner
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sweep itself will tell
            for number in range(_PAST_TRIALS if args else 0):
                _run(study, config, float(number))
            study.sampler = policy.sampler
            _run(study, config, 0.0)
    except Exception as error:  # a wrong argument makes them trip in whatever way
        cause = one_line(error) or type(error).__name__
        raise UserError(f"sampler or pruner cannot work with {args}: {cause}") from error


def _run(study: optuna.Study, config: SweepConfig, value: float) -> None:
    trial = study.ask()
    config.space.suggest(trial)
    for epoch in sorted({1, config.max_epochs}):
        trial.report(value, step=epoch)
        trial.should_prune()
    study.tell(trial, value)


def _soon(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments with a random start that the rehearsal gets beyond."""
    start = args.get("n_startup_trials")
    late = isinstance(start, int | float) and start > _LONGEST_START
    return {**args, "n_startup_trials": _LONGEST_START} if late else args
