"""The pruner of a sweep that freezes trials, which ends none: how it freezes them."""

from __future__ import annotations

from optuna.pruners import NopPruner


class Freezing(NopPruner):
    """The pruner of a sweep that freezes trials: it ends none. Its arguments are the promotion's.

    Args:
        reduction_factor: eta; rungs are that many times as far apart, and one in so many trials passes one.
        min_resource: r, the first rung, in epochs.
        finish: the last share of a budget in epochs, which trains frozen trials to their ends.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> Freezing(reduction_factor=4).reduction_factor
        4
    """

    def __init__(self, reduction_factor: int = 3, min_resource: int = 1, finish: float = 0.2) -> None:
        if reduction_factor < 2:
            raise ValueError(f"reduction_factor={reduction_factor}: give at least 2")
        if min_resource < 1:
            raise ValueError(f"min_resource={min_resource}: the first rung is at epoch 1 at the earliest")
        if not 0 <= finish < 1:
            raise ValueError(f"finish={finish}: give a share of the budget, from 0 to below 1")
        self.reduction_factor, self.min_resource, self.finish = reduction_factor, min_resource, finish
