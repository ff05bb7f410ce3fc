"""How many trials are asked for at once, and which of them starts first."""

from __future__ import annotations

from collections.abc import Collection

from search.config.sweep_config import SweepConfig
from search.policy.expected_cost import ExpectedCost
from search.study.ledger import Ledger
from search.study.promotion import Ask
from search.study.records import TrialRecord

LAST_ROUNDS = 2  # trials a slot that are asked for together at the end of a sweep,
_LAST_SHARE = 4  # but at most a quarter of all


def ask_for_trials(
    ledger: Ledger, config: SweepConfig, choice: Ask, slots: int, records: Collection[TrialRecord]
) -> list[TrialRecord]:
    """Ask for a trial, or at the end of the sweep for all that are left, the longest to start first.

    A long trial that starts last keeps the other slots idle. The price is that the last few trials are
    sampled without each other's results, so they are few. A single slot has nobody to keep idle, with a
    budget of time or epochs nobody knows which are the last, and a trial that freezes early is never long.

    Args:
        ledger: of the sweep.
        config: of the sweep.
        choice: up to which epoch a new trial is handed out.
        slots: how many trials may run at the moment.
        records: the sweep's trials, which tell what the next ones will cost.

    Returns:
        What was asked for, RUNNING or, if it was enqueued with values that the space does not hold, FAILED.
    """
    left = ledger.remaining()
    few = min(LAST_ROUNDS * slots, ledger.most_trials // _LAST_SHARE)
    if slots == 1 or config.time_budget or config.budget_epochs or choice.until is not None:
        few = 0
    asked = [ledger.ask(choice) for _ in range(left if left <= few else min(left, 1))]
    if len(asked) > 1:
        asked.sort(key=ExpectedCost(config.space, list(records)).order, reverse=True)
    return asked
