"""What a sweep says of itself while it runs, without a terminal: a line for each trial that ends."""

from __future__ import annotations

import io
from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console
from sweep_makers import DISCRETE, epoch, record, sweep_config

from search.progress.live import Progress

THREE = (epoch(1), epoch(2), epoch(3))  # six seconds


def followed(**fields: object) -> tuple[Progress, io.StringIO]:
    """A progress, and what it prints."""
    told = io.StringIO()
    return Progress(sweep_config(Path("nowhere"), **fields), Console(file=told, width=1000)), told


def test_each_end_is_a_line_with_what_is_left() -> None:
    progress, told = followed()
    progress.sweep_opened([])
    progress.trial_changed(record(0, TrialState.RUNNING))
    progress.trial_changed(record(0, epochs=THREE, value=0.5))
    progress.trial_changed(record(1, TrialState.PRUNED, epochs=THREE[:1]))
    first, second = told.getvalue().splitlines()
    assert "trial-000 complete val_acc=0.5000 after 3 of 3 epochs" in first
    assert "1/4 done, 0 pruned, 0 failed, best 0.5000 (trial-000), about 18 s left" in first
    assert "2/4 done, 1 pruned, 0 failed, best 0.5000 (trial-000), about 8 s left" in second


def test_a_retry_takes_the_place_of_the_failed_trial() -> None:
    progress, told = followed(trials=2)
    progress.sweep_opened([record(0, epochs=THREE, value=0.5), record(1, TrialState.FAIL, error="died")])
    progress.trial_changed(record(2, TrialState.RUNNING, retry_of=1))
    progress.trial_changed(record(2, epochs=THREE, value=0.6, retry_of=1))
    assert "2/2 done, 0 pruned, 0 failed, best 0.6000 (trial-002)" in told.getvalue()


def test_a_grid_that_is_smaller_than_what_was_asked_for_ends_with_itself() -> None:
    progress, told = followed(trials=50, sampler="grid", space=DISCRETE)
    progress.sweep_opened([record(number, epochs=THREE, value=0.5) for number in range(5)])
    progress.trial_changed(record(5, epochs=THREE, value=0.5))
    assert "6/6 done" in told.getvalue()
    assert "left" not in told.getvalue()


def test_brackets_in_parameters_are_text() -> None:
    progress, told = followed()
    progress.trial_changed(record(0, epochs=THREE, value=0.5, params={"lr": "[bold]:cat:"}))
    assert "lr=[bold]:cat:" in told.getvalue()
