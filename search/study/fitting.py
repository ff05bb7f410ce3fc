"""What of a guest's trial samplers can be shown: parameters of the sweep's own kinds of ranges."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.trial import FrozenTrial


def fitting(trial: FrozenTrial, ranges: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """A copy with those parameters that are from ranges of the sweep's kind, or not sampled by it.

    Args:
        trial: as the database has it.
        ranges: what the sweep samples from.
    """
    copied = copy.copy(trial)
    copied.distributions = {
        name: distribution
        for name, distribution in trial.distributions.items()
        if name not in ranges or _compatible(ranges[name], distribution)
    }
    copied.params = {name: trial.params[name] for name in copied.distributions}
    return copied


def _compatible(ours: BaseDistribution, theirs: BaseDistribution) -> bool:
    try:
        check_distribution_compatibility(ours, theirs)
    except ValueError:
        return False
    return True
