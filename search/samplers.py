"""Samplers by name, with their arguments checked before anything starts."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
)

from search.arguments import of_right_types
from search.bounded_tpe import BoundedTPESampler
from search.errors import UserError
from spaces.space import InvalidSpace, SearchSpace

T = TypeVar("T")


class _Grid(GridSampler):
    """Optuna's, except that it ends nothing: it would stop a `Study.optimize` that nobody runs."""

    def after_trial(self, *_: object) -> None:
        """The ledger's budget ends a sweep."""


SAMPLERS: dict[str, Callable[..., BaseSampler]] = {
    "tpe": BoundedTPESampler,
    "random": RandomSampler,
    "gp": GPSampler,
    "cmaes": CmaEsSampler,
    "qmc": QMCSampler,
    "grid": _Grid,
}
# Their sequence is fixed by the seed and continued from the study, so a resume must not change the seed.
_SEQUENCES = ("qmc", "grid")
# Optuna warns once a trial about what these samplers hand to an independent sampler; a conditional
# or categorical parameter is handed over by design, and a user cannot act on it.
_QUIET: dict[str, dict[str, Any]] = {
    "gp": {"warn_independent_sampling": False},
    "cmaes": {"warn_independent_sampling": False},
    "qmc": {"warn_independent_sampling": False, "warn_asynchronous_seeding": False, "scramble": True},
}


def make_sampler(
    name: str, space: SearchSpace, seed: int, *, asked: int = 0, args: Mapping[str, Any] | None = None
) -> BaseSampler:
    """The sampler called `name`.

    Args:
        name: one of `SAMPLERS`.
        space: the search space; the grid sampler enumerates it.
        seed: seed of the sweep.
        asked: trials that the study already holds. A sampler made anew with the same seed would draw
            the same points again, so a resumed one is seeded with `seed + asked`.
        args: further arguments of the sampler's class.

    Raises:
        UserError: an unknown name or argument, or a grid over a continuous space.
    """
    if name not in SAMPLERS:
        raise UserError(f"unknown sampler {name!r}: choose one of {', '.join(SAMPLERS)}")
    own_seed = seed if name in _SEQUENCES else (seed + asked) % 2**31
    given = dict(args or {})
    if "seed" in given:
        raise UserError(f"sampler argument seed={given['seed']!r}: give --seed, which the trials use too")
    if name == "grid":
        try:
            given["search_space"] = space.grid()
        except InvalidSpace as error:
            raise UserError(str(error)) from error
    return build(SAMPLERS[name], f"sampler {name}", {**_QUIET.get(name, {}), **given, "seed": own_seed})


def build(kind: Callable[..., T], label: str, args: Mapping[str, Any]) -> T:
    """Call `kind` with `args`; a wrong argument is a one-line UserError that lists the right ones."""
    known = list(inspect.signature(kind).parameters)
    unknown = [name for name in args if name not in known]
    if unknown:
        told = ", ".join(name for name in known if name != "seed")
        raise UserError(f"{label} has no argument {unknown[0]!r}: its arguments are {told or 'none'}")
    args = of_right_types(kind, label, args)
    try:
        with warnings.catch_warnings():
            # That Optuna may yet change an argument's name is for this project's version bounds.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return kind(**args)
    except (TypeError, ValueError) as error:
        raise UserError(f"{label} refuses {dict(args)}: {' '.join(str(error).split())}") from error
