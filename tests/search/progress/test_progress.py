"""What a sweep says of itself while it runs, without a terminal: its start and each trial's end in lines."""

from __future__ import annotations

import io
from pathlib import Path

from optuna.trial import TrialState
from rich.console import Console
from sweep_makers import DISCRETE, epoch, record, sweep_config

from search.progress.live import Progress
from search.progress.terminal import Sized, SteadyConsole
from search.study.hand_outs import HandOut
from search.study.records import TrialRecord

THREE = (epoch(1), epoch(2), epoch(3))  # six seconds


def followed(**fields: object) -> tuple[Progress, io.StringIO]:
    """A progress, and what it prints."""
    told = io.StringIO()
    return Progress(sweep_config(Path("nowhere"), **fields), SteadyConsole(file=told, width=1000)), told


def lines_of(told: io.StringIO, waits: bool = False) -> list[str]:
    """What was printed of trials, or of what is waited for."""
    return [line for line in told.getvalue().splitlines() if line.startswith("try: ") is waits]


def test_what_is_waited_for_is_told_until_an_epoch_was_trained() -> None:
    progress, told = followed()
    with progress:
        progress.waits_for("starting Ray")
        progress.sweep_opened([])
        for number in (0, 1):
            progress.trial_changed(record(number, TrialState.RUNNING))
        frame = progress._frame()
        progress.trial_changed(record(0, TrialState.RUNNING, epochs=THREE[:1]))
        assert len(progress._frame().lines) == 2
    assert told.getvalue().splitlines()[0] == (
        "sweep try: 4 trials of up to 3 epochs, maximising val_acc, its own data"
    )
    importing = "importing the training function in the workers, then the first epoch"
    assert lines_of(told, waits=True) == ["try: starting Ray", "try: starting workers", f"try: {importing}"]
    assert frame.columns["state"] == ["starting", "starting"]
    assert frame.lines[2:] == [f"{importing}, 0 s"]


def test_a_resume_waits_for_workers_until_a_trial_goes_on_and_a_finished_sweep_for_none() -> None:
    progress, told = followed(trials=1)
    progress.sweep_opened([record(0, TrialState.RUNNING, epochs=THREE[:1])])
    progress.trial_changed(record(0, TrialState.RUNNING, epochs=THREE[:1]))
    assert [line.partition(" ")[2].split()[0] for line in lines_of(told, waits=True)] == [
        "starting",
        "importing",
    ]
    assert len(progress._frame().lines) == 3
    progress.trial_changed(record(0, TrialState.RUNNING, epochs=THREE[:2]))
    assert len(progress._frame().lines) == 2
    finished, told = followed(trials=1)
    finished.sweep_opened([record(0, epochs=THREE, value=0.5)])
    assert told.getvalue() == ""


def test_each_end_is_a_line_with_what_is_left() -> None:
    progress, told = followed()
    progress.sweep_opened([])
    progress.trial_changed(record(0, TrialState.RUNNING))
    progress.trial_changed(record(0, epochs=THREE, value=0.5))
    progress.trial_changed(record(1, TrialState.PRUNED, epochs=THREE[:1]))
    first, second = lines_of(told)
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


def frozen_at(number: int, epochs: int, *until: int | None, **fields: object) -> TrialRecord:
    """A trial that was handed out so far each time; frozen if it has trained as far as that."""
    outs = tuple(
        HandOut(to, cost=1, reports=place, why=f"{place}th of 9 at epoch 1" if place else "new")
        for place, to in enumerate(until)
    )
    trained = tuple(epoch(position + 1, 0.5 + position / 10) for position in range(epochs))
    kept = {"state": TrialState.RUNNING, "ended_ms": None, **fields}
    return record(number, epochs=trained, hand_outs=outs, **kept)


def test_freezes_and_thaws_are_lines_and_what_is_frozen_at_the_end_is_not_told_again() -> None:
    progress, told = followed(trials=None, budget="20x")
    progress.sweep_opened([])
    for change in (
        frozen_at(0, 0, 1),
        frozen_at(0, 1, 1),
        frozen_at(1, 0, 1),
        frozen_at(1, 1, 1),
        frozen_at(0, 1, 1, 2),
        frozen_at(0, 2, 1, 2),
        frozen_at(0, 2, 1, 2, None),
        frozen_at(0, 3, 1, 2, None),
        frozen_at(0, 3, 1, 2, None, state=TrialState.COMPLETE, value=0.7),
        frozen_at(1, 1, 1, state=TrialState.PRUNED),
    ):
        progress.trial_changed(change)
    lines = lines_of(told)
    assert [line.partition(",")[0].partition(";")[0] for line in lines] == [
        "trial-000 frozen val_acc=0.5000 after 1 of 3 epochs",
        "trial-001 frozen val_acc=0.5000 after 1 of 3 epochs",
        "thawed trial-000: 1th of 9 at epoch 1",
        "trial-000 frozen val_acc=0.6000 after 2 of 3 epochs",
        "thawed trial-000: 2th of 9 at epoch 1",
        "trial-000 complete val_acc=0.7000 after 3 of 3 epochs",
    ]
    assert lines[1].endswith(
        "; 2/60 epochs, 0 complete, 2 frozen, 0 pruned, 0 failed, "
        "none complete yet, best so far trial-000, frozen at 1 of 3, about 1 min 56 s left"
    )
    assert "epochs, thawed twice, depth=2" in lines[5]
    assert "; 4/60 epochs, 1 complete, 1 frozen, 0 pruned, 0 failed, best 0.7000 (trial-000)" in lines[5]


def test_the_live_table_has_the_trials_that_run_and_the_last_choice(tmp_path: Path) -> None:
    progress, _ = followed(trials=None, budget=60)
    progress.sweep_opened([frozen_at(0, 1, 1), frozen_at(1, 1, 1), frozen_at(2, 1, 1, 2)])
    frame = progress._frame()
    assert frame.columns["trial"] == ["trial-002"]
    assert frame.columns["state"] == ["waiting at 1/3"]
    assert frame.lines[0].startswith("3/60 epochs, 0 complete, 2 frozen, 0 pruned, 0 failed, ")
    assert frame.lines[1] == "none complete yet, best so far trial-000, frozen at 1 of 3"
    assert frame.lines[2].startswith("starting workers, ")
    progress.trial_changed(frozen_at(2, 1, 1, 2))
    assert progress._frame().columns["state"] == ["epoch 2/2 of 3"]
    assert frame.lines[3] == "last choice: thawed trial-002: 1th of 9 at epoch 1"
    screen = io.StringIO()
    Console(file=screen, width=80, force_terminal=True, color_system=None).print(Sized(frame))
    assert max(map(len, screen.getvalue().splitlines())) <= 80


def test_epochs_of_earlier_launches_do_not_count_for_the_time_that_is_left() -> None:
    progress, told = followed(trials=None, budget="2x")
    slow = tuple(epoch(n, metrics={"val_acc": 0.5, "epoch_s": 100.0}) for n in (1, 2))
    progress.sweep_opened([record(0, TrialState.PRUNED, epochs=slow)])
    progress.trial_changed(record(1, TrialState.RUNNING))
    progress.trial_changed(record(1, TrialState.PRUNED, epochs=(epoch(1),)))
    assert "3/6 epochs, 0 complete, 2 pruned, 0 failed, no best yet, about 6 s left" in told.getvalue()


def test_where_trials_freeze_nobody_knows_how_long_so_many_trials_take() -> None:
    progress, told = followed(trials=4)
    progress.sweep_opened([])
    progress.trial_changed(frozen_at(0, 1, 1))
    progress.trial_changed(record(1, TrialState.FAIL, epochs=(epoch(1),)))
    assert "1/4 done, 1 frozen, 0 pruned, 1 failed" in told.getvalue()
    assert "left" not in told.getvalue()
