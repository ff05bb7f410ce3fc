"""How much of a sweep's size is used: of its trials, of its epochs."""

from __future__ import annotations

from collections.abc import Sequence

from search.config.sweep_config import SweepConfig
from search.results.cost import Cost
from search.results.outlook import outlook
from search.study.epochs import spent_epochs
from search.study.records import Outcome, TrialRecord, not_retried


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


def is_over(config: SweepConfig, records: Sequence[TrialRecord]) -> bool:
    """Whether nothing more of a search would be trained if it were resumed."""
    if hours_used_up(config, Cost.of(records)) or is_worthless(config, records):
        return True
    return is_used_up(config, records) and all(record.state.is_finished() for record in records)


def is_worthless(config: SweepConfig, records: Sequence[TrialRecord]) -> bool:
    """Whether a sweep ends because another hour would bring too little."""
    if config.stop_when is None:
        return False
    ahead = outlook(config, records)
    return ahead is not None and ahead.is_too_little(config.stop_when)


def hours_used_up(config: SweepConfig, cost: Cost | None) -> bool:
    """Whether a search has taken the core-hours or the GPU-hours that it may."""
    if cost is None:
        return False
    limits = ((config.core_hours, cost.core_hours), (config.gpu_hours, cost.gpu_hours))
    share = 1 - config.kept_share
    return any(limit is not None and hours >= limit * share for limit, hours in limits)


def saved_epochs(config: SweepConfig, records: Sequence[TrialRecord]) -> int:
    """Epochs that training all trials to their end would take beyond those that were trained.

    They are those that pruned and frozen trials lack and, of a sweep that was not worth another hour, also
    those of its unfinished trials and of the trials that it had yet to begin. What failed or diverged had
    none left.
    """
    trials = not_retried(records)
    spared, to_begin = {Outcome.PRUNED, Outcome.FROZEN}, 0
    if is_worthless(config, records):
        spared.add(Outcome.RUNNING)
        to_begin = 0 if config.trials is None else max(0, config.most_trials - len(trials))
    lacking = [config.max_epochs - len(each.epochs) for each in trials if each.outcome in spared]
    return sum(lacking) + to_begin * config.max_epochs
