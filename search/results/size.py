"""How much of a sweep's size is used: of its trials, of its epochs."""

from __future__ import annotations

from collections.abc import Sequence

from search.config.sweep_config import SweepConfig
from search.study.records import TrialRecord, not_retried


def spent_epochs(record: TrialRecord, max_epochs: int) -> int:
    """Epochs of a budget that a trial has used so far: trained ones, with those that it had to repeat.

    >>> from optuna.trial import TrialState
    >>> from search.study.hand_outs import HandOut
    >>> from search.study.records import Epoch
    >>> epochs = tuple(Epoch(n, {}, timestamp_ms=0, worker="host:1") for n in (1, 2, 3))
    >>> once = HandOut(until=3, cost=3, reports=0, why="new")
    >>> again = HandOut(until=9, cost=9, reports=9, why="best of 3")  # its checkpoint was gone
    >>> spent_epochs(TrialRecord(0, TrialState.RUNNING, {}, epochs, hand_outs=(once, again)), max_epochs=9)
    6

    Args:
        record: the trial.
        max_epochs: of a trial that trains to its end.
    """
    trained = len(record.epochs)
    if not record.hand_outs:
        return trained
    to_come = (record.until or max_epochs) - trained
    return sum(hand_out.cost for hand_out in record.hand_outs) - max(0, to_come)


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
    if len(not_retried(records)) >= config.most_trials:
        return True
    budget = config.budget_epochs
    return budget is not None and budget - spent(config, records) < config.max_epochs
