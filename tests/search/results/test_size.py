"""How much of a sweep's size is used: trials, and epochs with those that had to be trained again."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.trial import TrialState
from sweep_makers import epoch, freezing, open_ledger, record, run_trial, started, sweep_config

from search.results.next_steps import go_on
from search.results.size import epochs_used, is_used_up, spent, trials_used
from search.study.hand_outs import HandOut

PROMOTION: dict[str, Any] = {"pruner": "promotion", "max_epochs": 9, "trials": None, "budget": "10x"}


def test_what_is_used_in_words() -> None:
    records = [record(0, epochs=(epoch(1), epoch(2))), record(1, TrialState.FAIL, epochs=(epoch(1),))]
    retried = [*records, record(2, epochs=(epoch(1),), retry_of=1)]
    trials, epochs = sweep_config(trials=9), sweep_config(trials=None, budget="5x")
    assert (trials_used(trials, retried), epochs_used(trials, retried)) == (
        "2 of 9 trials",
        "4 epochs trained",
    )
    assert (trials_used(epochs, retried), epochs_used(epochs, retried)) == (
        "2 trials",
        "4 of 15 epochs trained",
    )


def test_epochs_that_are_trained_again_are_paid_again() -> None:
    outs = (HandOut(3, cost=3, reports=0, why="new"), HandOut(None, cost=9, reports=9, why="best"))
    frozen = record(0, TrialState.RUNNING, epochs=tuple(map(epoch, (1, 2, 3))), hand_outs=outs[:1])
    whole = record(0, epochs=tuple(map(epoch, range(1, 10))), hand_outs=outs)
    config = sweep_config(max_epochs=9)
    assert (spent(config, [frozen]), spent(config, [whole])) == (3, 12)


@pytest.mark.parametrize(
    ("size", "trained", "used_up"),
    [
        ({"trials": 2}, 1, False),
        ({"trials": 2}, 2, True),
        ({"trials": None, "budget": "3x"}, 2, False),
        ({"trials": None, "budget": "3x"}, 3, True),
        ({"trials": None, "budget": 8}, 2, True),  # what is left is less than a training
        ({"trials": 2, "budget": "3x"}, 2, True),
        ({"trials": 9, "budget": "3x"}, 3, True),
    ],
)
def test_a_size_is_used_up_when_the_ledger_asks_for_no_more(
    size: dict[str, Any], trained: int, used_up: bool
) -> None:
    config = sweep_config(**size)
    ledger = open_ledger(config)
    for _ in range(trained):
        run_trial(ledger, [0.1, 0.2, 0.3])
    assert is_used_up(config, ledger.records()) == (ledger.choose() is None) == used_up


@pytest.mark.parametrize("budget", ["2x", "10x", 50])
def test_a_sweep_that_freezes_and_has_ended_is_used_up(budget: int | str) -> None:
    config = sweep_config(**{**PROMOTION, "budget": budget})
    ledger = open_ledger(config)
    freezing(ledger, config.max_epochs, most=2)
    assert not is_used_up(config, ledger.records())
    freezing(ledger, config.max_epochs)
    assert is_used_up(config, ledger.records())
    assert spent(config, ledger.records()) <= (config.budget_epochs or 0)


@pytest.mark.parametrize(
    ("size", "grown"),
    [
        ({"trials": 2}, {"trials": 4}),
        ({"trials": None, "budget": "2x"}, {"budget": "4x"}),
        ({"trials": None, "budget": 7}, {"budget": 14}),
        ({"trials": 2, "budget": 6}, {"trials": 4, "budget": 12}),
    ],
)
def test_a_sweep_that_has_used_its_size_up_grows_to_twice_of_it(
    size: dict[str, Any], grown: dict[str, Any]
) -> None:
    config = sweep_config(**size)
    ledger = open_ledger(config)
    assert getattr(go_on(config, ledger.records()), "purpose", None) == "resume it"
    for _ in range(2):
        run_trial(ledger, [0.1, 0.2, 0.3])
    step = go_on(config, ledger.records())
    assert step is not None
    assert (step.purpose, step.fields) == ("let it grow", grown)
    started(open_ledger(sweep_config(**{**dict(size), **step.fields})))
