"""How long a sweep still takes: it counts down between events, and by what each trial has done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from optuna.trial import TrialState
from sweep_makers import epoch, record, sweep_config

from search.progress.tally import Tally
from search.study.records import TrialRecord

THREE = (epoch(1), epoch(2), epoch(3))  # six seconds


class Clock:
    """Seconds that a test lets pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def tally(*before: TrialRecord, **fields: Any) -> tuple[Tally, Clock]:
    clock = Clock()
    return Tally(sweep_config(Path("nowhere"), **fields), before, clock), clock


def test_it_counts_down_while_nothing_is_heard() -> None:
    progress, clock = tally(trials=3)
    progress.take(record(0, epochs=THREE, value=0.5))
    progress.take(record(1, TrialState.RUNNING))
    told = []
    for clock.now in (0.0, 1.0, 2.5, 4.0):
        told.append(progress.left_text)
    assert told == ["about 12 s left", "about 11 s left", "about 10 s left", "about 8 s left"]


def test_what_a_trial_has_done_counts_for_it_and_one_that_takes_longer_ends_its_epoch_first() -> None:
    progress, clock = tally(trials=2)
    progress.take(record(0, epochs=THREE, value=0.5))
    progress.take(record(1, TrialState.RUNNING, epochs=THREE[:2]))
    assert progress.left_text == "about 2 s left"
    slow = tuple(epoch(n, metrics={"val_acc": 0.5, "epoch_s": 40.0}) for n in (1, 2))
    progress.take(record(1, TrialState.RUNNING, epochs=slow))
    clock.now = 10.0
    assert progress.left_text == "about 30 s left"
    clock.now = 50.0
    assert progress.left_text == "a moment left"


def test_a_trial_that_no_worker_has_does_not_get_on() -> None:
    lost, clock = tally(trials=2)
    lost.take(record(0, epochs=THREE, value=0.5))
    lost.take(record(1, TrialState.RUNNING))
    lost.take(record(1, TrialState.RUNNING, times_lost=1))
    clock.now = 4.0
    assert (lost.left_text, lost.waiting) == ("about 6 s left", {1})
    lost.take(record(1, TrialState.RUNNING, times_lost=1))
    clock.now = 5.0
    assert (lost.left_text, lost.waiting) == ("about 5 s left", set())


def test_epochs_of_a_budget_count_down_too() -> None:
    progress, clock = tally(trials=None, budget="2x")
    progress.take(record(0, TrialState.RUNNING, epochs=THREE[:1]))
    told = []
    for clock.now in (0.0, 1.0, 9.0):
        told.append(progress.left_text)
    assert told == ["about 10 s left", "about 9 s left", "about 8 s left"], "an epoch is counted once"
