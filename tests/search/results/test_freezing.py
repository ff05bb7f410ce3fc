"""Frozen and thawed trials in words and counts, as people are shown them."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState
from sweep_makers import MAXIMIZE, MINIMIZE, epoch, freezing, open_ledger, record, sweep_config

from search.results.freezing import (
    Rung,
    best_unfinished,
    best_unfinished_text,
    choices,
    freezes,
    furthest_frozen,
    rungs,
    state_text,
)
from search.study.hand_outs import HandOut
from search.study.records import TrialRecord

PROMOTION: dict[str, Any] = {"pruner": "promotion", "max_epochs": 9, "trials": None, "budget": "10x"}


def out(until: int | None, why: str = "new", reports: int = 0, cost: int = 1) -> HandOut:
    return HandOut(until=until, cost=cost, reports=reports, why=why)


def handed(number: int, trained: int, *outs: HandOut, value: float = 0.5, **fields: Any) -> TrialRecord:
    """A trial that runs or is frozen after so many epochs."""
    epochs = tuple(epoch(position, value) for position in range(1, trained + 1))
    defaults: dict[str, Any] = {"state": TrialState.RUNNING, "ended_ms": None}
    return record(number, epochs=epochs, hand_outs=outs, **{**defaults, **fields})


FROZEN = handed(14, 3, out(1), out(3, "2nd of 9 at epoch 1", reports=12), value=0.6)


@pytest.mark.parametrize(
    ("trial", "text"),
    [
        (FROZEN, "frozen at 3 of 27, thawed once"),
        (handed(1, 1, out(1)), "frozen at 1 of 27"),
        (handed(1, 3, out(1), out(3), out(9)), "running, thawed twice"),
        (handed(1, 0, out(1)), "running"),
        (
            handed(1, 27, *map(out, (1, 3, 9)), out(None), state=TrialState.COMPLETE),
            "complete, thawed 3 times",
        ),
        (record(1), "complete"),
    ],
)
def test_a_state_in_words(trial: TrialRecord, text: str) -> None:
    assert state_text(trial, 27) == text


def test_rungs_tell_who_came_there_who_went_on_and_who_waits() -> None:
    assert rungs([record(0), record(1)]) == []
    pruned = handed(3, 1, out(1), state=TrialState.PRUNED)
    assert rungs([handed(0, 0, out(1)), handed(1, 1, out(1)), FROZEN, pruned]) == [
        Rung(epochs=1, reached=3, passed=1, frozen=1),
        Rung(epochs=3, reached=1, passed=0, frozen=1),
    ]


def test_choices_are_told_in_the_order_in_which_they_were_made() -> None:
    chosen = handed(20, 1, out(1, "P(improve) 0.12 at epoch 9", reports=10))
    assert [str(choice) for choice in choices([chosen, FROZEN])] == [
        "began trial-014",
        "began trial-020: P(improve) 0.12 at epoch 9",
        "thawed trial-014: 2nd of 9 at epoch 1",
    ]


def test_the_best_unfinished_trial_has_trained_furthest_and_is_the_best_there() -> None:
    ended = handed(0, 9, out(None), state=TrialState.COMPLETE)
    further = handed(2, 3, out(3), value=0.4)
    trials = [ended, handed(1, 1, out(1), value=0.9), further, FROZEN]
    assert best_unfinished(trials, MAXIMIZE) is FROZEN
    assert best_unfinished(trials, MINIMIZE) is further
    assert best_unfinished([ended, handed(1, 0, out(1))], MAXIMIZE) is None
    assert furthest_frozen(trials, MAXIMIZE) == [FROZEN, further, trials[1]]
    assert best_unfinished_text(FROZEN, 27) == "trial-014, frozen at 3 of 27"
    stopped = handed(5, 2, out(3))
    assert best_unfinished_text(stopped, 27) == "trial-005, stopped at 2 of 27"


def test_what_a_sweep_with_promotion_did_is_told_from_its_study() -> None:
    config = sweep_config(**PROMOTION)
    ledger = open_ledger(config)
    freezing(ledger, config.max_epochs)
    records = ledger.records()
    first, second = rungs(records)
    assert (first.epochs, second.epochs) == (1, 3)
    assert first.reached > 3 * second.reached - 3 > 0
    assert first.reached >= first.passed >= second.reached >= second.passed > 0
    assert first.frozen == second.frozen == 0, "what was frozen at the end is pruned"
    assert freezes(records)
    made = choices(records)
    assert len(made) == sum(len(each.hand_outs) for each in records)
    assert [each.hand_out.reports for each in made] == sorted(each.hand_out.reports for each in made)
