"""Samplers by name, with their arguments checked before anything starts."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
)
from optuna.trial import FrozenTrial

from search.errors import UserError
from search.policy.arguments import of_right_types
from search.policy.curves.sampler import CurvesSampler
from search.policy.near_prior import NearPrior
from search.policy.redrawing import Redrawing
from search.policy.reseeding import Reseeded
from search.policy.taught import SweepCmaEsSampler, SweepGPSampler, SweepTPESampler
from search.study.optuna_private import drawn_from_grid, forget_fit, is_grid_point
from spaces.space import InvalidSpace, SearchSpace

T = TypeVar("T")


class _Grid(Reseeded, GridSampler):
    """Optuna's, except that it ends nothing: it would stop a `Study.optimize` that nobody runs."""

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As Optuna's; what somebody has left open who enqueued a trial is drawn, where Optuna's raises."""
        if is_grid_point(trial):
            return super().sample_independent(study, trial, param_name, param_distribution)
        return drawn_from_grid(self, param_name)

    def after_trial(self, *_: object) -> None:
        """The ledger's budget ends a sweep."""


class _GP(Redrawing, NearPrior, SweepGPSampler):
    """Optuna's, except that each fit starts afresh, not where the last one of this process ended."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's; a driver that is resumed then fits what the killed one would have."""
        forget_fit(self)
        return super().sample_relative(study, trial, search_space)


class _TPE(Redrawing, NearPrior, SweepTPESampler):
    pass


class _Random(Redrawing, NearPrior, RandomSampler):
    pass


class _CmaEs(Redrawing, NearPrior, SweepCmaEsSampler):
    pass


class _QMC(Redrawing, NearPrior, QMCSampler):
    pass


class _Curves(Redrawing, NearPrior, CurvesSampler):
    own_draws = 1  # its draws follow from number and history alone, so others are the same


SAMPLERS: dict[str, Callable[..., Reseeded]] = {
    "tpe": _TPE,
    "random": _Random,
    "gp": _GP,
    "cmaes": _CmaEs,
    "qmc": _QMC,
    "grid": _Grid,
    "curves": _Curves,
}
MOST_GRID_POINTS = (
    100_000  # asking for a trial goes through all of them: 18 ms with that many, 0.2 s with ten times
)
# Optuna warns once a trial about what these samplers hand to an independent sampler; a conditional
# or categorical parameter is handed over by design, and a user cannot act on it.
_QUIET: dict[str, dict[str, Any]] = {
    "gp": {"warn_independent_sampling": False},
    "cmaes": {"warn_independent_sampling": False},
    "qmc": {"warn_independent_sampling": False, "warn_asynchronous_seeding": False, "scramble": True},
}


# Arguments that are the sweep's own.
_OF_THE_SWEEP = {
    "seed": "give `seed`, which the trials use too",
    "search_space": "a grid is the space's own, so leave it out",
    "space": "it is the sweep's own, so leave it out",
    "max_epochs": "give `max_epochs`, which the trials train for too",
}


def make_sampler(
    name: str,
    space: SearchSpace,
    seed: int,
    max_epochs: int,
    *,
    args: Mapping[str, Any] | None = None,
    prior: Sequence[Mapping[str, Any]] = (),
) -> BaseSampler:
    """The sampler called `name`, whose draws follow from seed and history.

    Args:
        name: one of `SAMPLERS`.
        space: the search space; the grid sampler enumerates it.
        seed: seed of the sweep.
        max_epochs: epochs of a trial that trains to its end.
        args: further arguments of the sampler's class.
        prior: what is believed to be good, the best first; a grid, which tries everything, has none.

    Raises:
        UserError: an unknown name or argument, or a grid over a continuous space or of too many points.
    """
    if name not in SAMPLERS:
        raise UserError(f"unknown sampler {name!r}: choose one of {', '.join(SAMPLERS)}")
    given = dict(args or {})
    own: dict[str, Any] = {"seed": seed}
    if name == "grid":
        own["search_space"] = _grid(space)
    if name == "curves":
        own |= {"space": space, "max_epochs": max_epochs}
    for argument in sorted(own.keys() & given.keys()):
        raise UserError(f"sampler argument {argument}={given[argument]!r}: {_OF_THE_SWEEP[argument]}")
    sampler = build(SAMPLERS[name], f"sampler {name}", {**_QUIET.get(name, {}), **given}, own)
    sampler.sweep_seed = seed
    if isinstance(sampler, Redrawing):
        sampler.space = space
    if prior and isinstance(sampler, NearPrior):
        sampler.prior = prior
    return sampler


def _grid(space: SearchSpace) -> dict[str, Any]:
    """Every value of every parameter, of which the sampler makes all combinations at once."""
    points = space.size()
    if points is not None and points > MOST_GRID_POINTS:
        raise UserError(
            f"space {space.name!r} has a grid of {points:,} points, and {MOST_GRID_POINTS:,} can be kept "
            "track of: give fewer values (step=, fewer choices), or sample with `sampler=qmc` or "
            "`sampler=random`"
        )
    try:
        return space.grid()
    except InvalidSpace as error:
        raise UserError(str(error)) from error


def build(
    kind: Callable[..., T], label: str, args: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> T:
    """Call `kind` with `args`, and what a user may not give; a wrong argument is a one-line UserError."""
    own = own or {}
    known = [name for name in inspect.signature(kind).parameters if name not in own]
    unknown = [name for name in args if name not in known]
    if unknown:
        arguments = ", ".join(known)
        raise UserError(f"{label} has no argument {unknown[0]!r}: its arguments are {arguments or 'none'}")
    args = of_right_types(kind, label, args)
    try:
        with warnings.catch_warnings():
            # That Optuna may yet change an argument's name is for this project's version bounds.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return kind(**args, **own)
    except (TypeError, ValueError) as error:
        raise UserError(f"{label} refuses {dict(args)}: {' '.join(str(error).split())}") from error
