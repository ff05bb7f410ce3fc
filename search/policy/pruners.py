"""Pruners by name, their defaults fitted to the epochs of a trial.

Epochs are counted from 1 and are the pruners' steps, so `min_resource=1` decides after the first epoch and
`n_warmup_steps=2` lets epoch 1 pass unjudged.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from optuna.pruners import (
    BasePruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    ThresholdPruner,
)

from search.config.goals import Goal
from search.errors import UserError
from search.policy.freezing import Freezing
from search.policy.samplers import build
from search.study.optuna_private import NamelessHyperband

_ETA = 3  # the reduction factor with which both papers ran their experiments on small budgets
# Below this many epochs a trial ends about as soon as there is anything to judge it by.
_FEWEST_EPOCHS_TO_PRUNE = 3
# Hyperband's brackets differ from plain successive halving only once there are three rungs (eta = 3).
_FEWEST_EPOCHS_FOR_HYPERBAND = 27

# An accuracy has left chance that is a fifth above it, or two points where that is less: 0.12 for ten
# classes, 0.52 for two, 0.012 for a hundred.
_OVER_CHANCE = 1.2
_MOST_OVER_CHANCE = 0.02

_logger = logging.getLogger(__name__)

PRUNERS: dict[str, Callable[..., BasePruner]] = {
    "hyperband": NamelessHyperband,
    "asha": SuccessiveHalvingPruner,
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "threshold": ThresholdPruner,
    "patient": PatientPruner,
    "promotion": Freezing,
    "none": NopPruner,
}


def pruner_name(name: str, max_epochs: int) -> str:
    """The pruner that `name` stands for: `auto` is none, asha or hyperband by the epochs of a trial.

    Raises:
        UserError: an unknown name.
    """
    if name == "auto":
        if max_epochs < _FEWEST_EPOCHS_TO_PRUNE:
            return "none"
        return "asha" if max_epochs < _FEWEST_EPOCHS_FOR_HYPERBAND else "hyperband"
    if name not in PRUNERS:
        raise UserError(f"unknown pruner {name!r}: choose auto or one of {', '.join(PRUNERS)}")
    return name


def make_pruner(
    name: str,
    max_epochs: int,
    goal: Goal,
    args: Mapping[str, Any] | None = None,
    classes: int | None = None,
) -> BasePruner:
    """The pruner called `name`, with defaults for trials of `max_epochs` epochs overridden by `args`.

    Args:
        name: as for `pruner_name`.
        max_epochs: epochs of a trial that is not pruned.
        goal: of the sweep.
        args: of the pruner's class.
        classes: among which the metric is the share told rightly; None: it is something else, or unknown.

    Raises:
        UserError: an unknown name or argument, or an argument out of its range.
    """
    name = pruner_name(name, max_epochs)
    given = dict(args or {})
    defaults = _defaults(name, max_epochs, goal)
    if name == "threshold":
        defaults |= _bound(goal, classes)
    return build(PRUNERS[name], f"pruner {name}", {**defaults, **given})


def warn_of_no_bound(name: str, goal: Goal, args: Mapping[str, Any], classes: int | None) -> None:
    """Say that the threshold pruner will end nothing: it has no bound, and none follows from the metric.

    Args:
        name: as for `make_pruner`.
        goal: likewise.
        args: likewise.
        classes: likewise.
    """
    known = not goal.maximises or classes is not None or {"lower", "upper"} & set(args)
    if name == "threshold" and not known:
        _logger.warning(
            "pruner threshold ends no trial: nobody knows what is too low for this metric; "
            "say it when a sweep is made, such as pruner_args={'lower': 0.2}"
        )


def _bound(goal: Goal, classes: int | None) -> dict[str, float]:
    """Beyond what the threshold pruner ends a trial: a loss that explodes, an accuracy that is chance's."""
    if not goal.maximises:
        return {"upper": 1e6}
    if classes is None:
        return {"lower": -math.inf}
    return {"lower": min(_OVER_CHANCE / classes, 1 / classes + _MOST_OVER_CHANCE)}


def _defaults(name: str, max_epochs: int, goal: Goal) -> dict[str, Any]:
    if name == "hyperband":  # Li et al. 2018 (arXiv:1603.06560): r = 1 epoch, R = max_epochs, eta = 3
        return {"min_resource": 1, "max_resource": max_epochs, "reduction_factor": _ETA}
    if name == "asha":  # Li et al. 2020 (arXiv:1810.05934): eta = 3, s = 0
        # r is such that the last rung is the last epoch: 2 and 6 of 6, 1, 3 and 9 of 9, 3 and 9 of 20.
        halvings = max(1, math.floor(math.log(max_epochs, _ETA) + 1e-9))
        first_rung = math.ceil(max_epochs / _ETA ** min(halvings, 2))
        return {"min_resource": first_rung, "reduction_factor": _ETA, "min_early_stopping_rate": 0}
    if name in ("median", "percentile"):
        # The first epochs say little of a network whose learning rate still warms up.
        warm_up = {"n_warmup_steps": max(2, max_epochs // 5)}
        return {**warm_up, "percentile": 25.0} if name == "percentile" else warm_up
    if name == "threshold" and goal.maximises:
        return {"n_warmup_steps": 2}  # the first epoch may end at chance
    if name == "patient":
        return {"wrapped_pruner": None, "patience": max(2, max_epochs // 5)}
    return {}
