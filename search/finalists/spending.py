"""What a sweep has spent, its confirmations and retrainings included, what is left, and what was saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search.config.sweep_config import SweepConfig, sweep_names
from search.errors import UserError
from search.results.cost import Cost
from search.results.digits import human_seconds
from search.results.size import saved_epochs, spent
from search.results.summary import SweepSummary, summarise
from search.study.records import TrialRecord


@dataclass(frozen=True)
class Spending:
    """Epochs by what they were for, and what all of them took of the machines.

    Attributes:
        search: epochs of the sweep's own trials.
        confirm: of its confirmations.
        retrain: of its retrainings.
        saved: epochs that nobody had to train: see `saved_epochs`.
        cost: of all three; None if no epoch says what it had.

    Example:
        >>> from spaces.quickstart import SPACE
        >>> needed = {"name": "day", "space": SPACE, "objective": "math:sqrt", "max_epochs": 6}
        >>> spending = Spending(search=36, confirm=12, retrain=6, saved=44, cost=None)
        >>> for heading, text in spending.lines(SweepConfig(budget="10x", finish=True, **needed)):
        ...     print(heading, text)
        spent 54 epochs: 36 to search, 12 to confirm, 6 to retrain
        left 6 of 60 epochs
        saved 44 epochs, against training every trial to its end
    """

    search: int
    confirm: int
    retrain: int
    saved: int
    cost: Cost | None

    @property
    def epochs(self) -> int:
        """All that were trained."""
        return self.search + self.confirm + self.retrain

    def lines(self, config: SweepConfig, seconds: float | None = None) -> list[tuple[str, str]]:
        """As headings and texts to print.

        Args:
            config: of the sweep.
            seconds: that this launch has taken, where that is known.
        """
        parts = (("search", self.search), ("confirm", self.confirm), ("retrain", self.retrain))
        by = ", ".join(f"{epochs} to {what}" for what, epochs in parts if epochs)
        for_what = "" if self.epochs == self.search else f": {by}"
        cost = "" if self.cost is None else f"; {self.cost}"
        left = [f"{text} epochs" for text in self._epochs_left(config)] + self._hours_left(config)
        if config.time_budget is not None and seconds is not None:
            until = max(0.0, config.time_budget - seconds)
            left.append(f"{human_seconds(until)} of {human_seconds(config.time_budget)}")
        return [
            ("spent", f"{_epochs(self.epochs)}{for_what}{cost}"),
            *([("left", ", ".join(left))] if left else []),
            ("saved", f"{_epochs(self.saved)}, against training every trial to its end"),
        ]

    def to_json(self, config: SweepConfig) -> dict[str, Any]:
        """As plain JSON, with what is left of the sweep's budgets; None of one that was not given."""
        taken = self.cost or Cost(0.0, 0.0)
        given = {
            "epochs": (config.whole_epochs, self.epochs),
            "core_hours": (config.core_hours, taken.core_hours),
            "gpu_hours": (config.gpu_hours, taken.gpu_hours),
        }
        return {
            "search": self.search,
            "confirm": self.confirm,
            "retrain": self.retrain,
            "saved": self.saved,
            "cost": None if self.cost is None else vars(self.cost),
            **{
                f"{name}_left": None if limit is None else max(0, limit - spent)
                for name, (limit, spent) in given.items()
            },
        }

    def _epochs_left(self, config: SweepConfig) -> list[str]:
        whole = config.whole_epochs
        return [] if whole is None else [f"{max(0, whole - self.epochs)} of {whole}"]

    def _hours_left(self, config: SweepConfig) -> list[str]:
        taken = self.cost or Cost(0.0, 0.0)
        limits = (
            (config.core_hours, taken.core_hours, "core-hours"),
            (config.gpu_hours, taken.gpu_hours, "GPU-hours"),
        )
        return [
            f"{max(0.0, limit - hours):.2g} of {limit:g} {unit}"
            for limit, hours, unit in limits
            if limit is not None
        ]


def spending(config: SweepConfig, records: Sequence[TrialRecord]) -> Spending:
    """What a sweep with these trials has spent so far."""
    confirming, retraining = _repeats(config, "confirm"), _repeats(config, "retrain")
    costs = [Cost.of(each) for each in (records, *(of.records for of in (*confirming, *retraining)))]
    known = [cost for cost in costs if cost is not None]
    return Spending(
        search=spent(config, records),
        confirm=sum(spent(each.config, each.records) for each in confirming),
        retrain=sum(spent(each.config, each.records) for each in retraining),
        saved=saved_epochs(config, records),
        cost=_sum_of(known) if known else None,
    )


def _epochs(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"


def _sum_of(costs: Sequence[Cost]) -> Cost:
    """All of them together."""
    return Cost(
        core_hours=sum(cost.core_hours for cost in costs),
        gpu_hours=sum(cost.gpu_hours for cost in costs),
        is_whole=all(cost.is_whole for cost in costs),
    )


def _repeats(config: SweepConfig, kind: str) -> list[SweepSummary]:
    """The confirmations or the retrainings of a sweep that have begun."""
    folder, begun = config.folder / kind, []
    for name in sweep_names(folder):
        try:
            begun.append(summarise(name, folder))
        except UserError:  # killed before it had a study: it has spent nothing
            continue
    return begun
