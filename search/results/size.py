"""How much of a sweep's size is used: of its trials, of its epochs."""

from __future__ import annotations

from collections.abc import Sequence

from search.config.sweep_config import SweepConfig
from search.results.cost import Cost
from search.study.epochs import spent_epochs
from search.study.records import TrialRecord, not_retried


def spent(config: SweepConfig, records: Sequence[TrialRecord]) -> int:
    """Epochs of the budget that a sweep has used so far."""
    return sum(spent_epochs(record, config.max_epochs) for record in records)


def trials_used(config: SweepConfig, records: Sequence[TrialRecord]) -> str:
    """`4 of 9 trials`; of a sweep whose size is in epochs alone `40 trials`."""
    trials = len(not_retried(records))
    return f"{trials} trials" if config.trials is None else f"{trials} of {config.most_trials} trials"


def epochs_used(config: SweepConfig, records: Sequence[TrialRecord]) -> str:
    """`312 epochs trained`, or `312 of 540 epochs trained`."""
    of = "" if config.budget_epochs is None else f"of {config.budget_epochs} "
    return f"{spent(config, records)} {of}epochs trained"


def is_used_up(config: SweepConfig, records: Sequence[TrialRecord]) -> bool:
    """Whether a sweep begins no more trials: of its epochs none may be left, or too few for a training."""
    if len(not_retried(records)) >= config.most_trials or hours_used_up(config, Cost.of(records)):
        return True
    budget = config.budget_epochs
    return budget is not None and budget - spent(config, records) < config.max_epochs


def hours_used_up(config: SweepConfig, cost: Cost | None) -> bool:
    """Whether a sweep has taken the core-hours or the GPU-hours that it may."""
    if cost is None:
        return False
    limits = ((config.core_hours, cost.core_hours), (config.gpu_hours, cost.gpu_hours))
    return any(limit is not None and hours >= limit for limit, hours in limits)
