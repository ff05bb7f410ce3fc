"""What comes after a search: its best confirmed and retrained, out of the same budget."""

from __future__ import annotations

import math

from pydantic import Field

from search.config.model import Settings

FINALISTS = 3
SEEDS = 3  # of a finalist, on average at most, and of the winner's retraining
MOST_TRAININGS = FINALISTS * SEEDS + SEEDS  # that finishing takes


class Finishing(Settings):
    """Whether a sweep ends with a model, and what is kept back for that.

    Example:
        >>> Finishing(finish=True).kept_share
        0.4
    """

    finish: bool = Field(
        default=False,
        description="After the search confirm the best, retrain the winner and register its model; in "
        "Python, `confirm` and `retrain` do it. A share of each budget is kept back for that.",
    )
    finish_share: float = Field(
        default=0.4,
        gt=0,
        lt=1,
        description="Share of the epochs, the core-hours, the GPU-hours and the time that `finish` keeps "
        "back. The best grows with the logarithm of what is searched, so 0.4 costs three quarters of what "
        f"a doubling brings. Of epochs never more than {MOST_TRAININGS} trainings take: {FINALISTS} "
        f"finalists with {SEEDS} seeds each, and {SEEDS} retrainings.",
    )

    @property
    def kept_share(self) -> float:
        """Share of a budget that the search may not take."""
        return self.finish_share if self.finish else 0.0

    def kept_trainings(self, trainings: float) -> int:
        """Whole trainings that are kept back of so many.

        >>> Finishing(finish=True).kept_trainings(10), Finishing(finish=True).kept_trainings(100)
        (4, 12)
        """
        return min(MOST_TRAININGS, math.ceil(round(self.kept_share * trainings, 6)))
