"""What the live display shows at each width of a terminal: which trial, what it does and how well, always."""

from __future__ import annotations

import io
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console
from sweep_makers import epoch, record, sweep_config

from search.config.sweep_config import SweepConfig
from search.progress.frame import Frame
from search.progress.live import Progress
from search.progress.naming import Naming
from search.progress.terminal import Sized, SteadyConsole
from search.study.hand_outs import HandOut
from search.study.records import StopReason, TrialRecord
from spaces.registry import load_space

WIDTHS = [60, 80, 120, 200]
WIDE = load_space("wide")


def of_wide(number: int, *values: float, **fields: Any) -> TrialRecord:
    """A trial of the widest space that there is, after some epochs; it runs unless something else is said."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    params = WIDE.suggest(study.ask())
    epochs = tuple(epoch(place, value) for place, value in enumerate(values, 1))
    defaults = {"state": TrialState.RUNNING, "params": params, "epochs": epochs}
    return record(number, **{**defaults, **fields})


def shown(progress: Progress, width: int, height: int = 24) -> list[str]:
    """The screen's lines."""
    console = Console(file=io.StringIO(), width=width, height=height, record=True, soft_wrap=True)
    console.print(Sized(progress._frame()))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert all(len(line) <= width for line in lines)
    assert len(lines) < height
    return lines


def followed(config: SweepConfig, *changes: TrialRecord, file: io.StringIO | None = None) -> Progress:
    """A sweep's progress in a terminal, after some changes."""
    console = SteadyConsole(file=file or io.StringIO(), force_terminal=True, color_system=None, width=80)
    progress = Progress(config, console)
    progress.sweep_opened([])
    for change in changes:
        progress.trial_changed(change)
    return progress


@pytest.mark.parametrize("width", WIDTHS)
def test_trial_state_and_metric_are_never_cut(width: int) -> None:
    config = sweep_config(Path("nowhere"), space=WIDE, trials=16, max_epochs=5)
    progress = followed(
        config,
        of_wide(0),
        of_wide(0, 0.2, 0.4, state=TrialState.COMPLETE, value=0.4),
        of_wide(1),
        of_wide(2, 0.11, 0.25),
        of_wide(3, 0.3, times_lost=0),
        of_wide(3, 0.3, times_lost=1),
    )
    lines = shown(progress, width)
    headings, *rows = lines[:4]
    assert headings.split()[:3] == ["trial", "state", "val_acc"]
    assert [row.split()[:3] for row in rows] == [
        ["trial-001", "epoch", "1/5"],
        ["trial-002", "epoch", "3/5"],
        ["trial-003", "waiting", "at"],
    ]
    assert rows[1].split()[3] == "0.2500"
    assert sum("val_acc" in line for line in lines) == 1, "one row of headings"
    params = [name for name in headings.split() if name in WIDE.parameters]
    left_out = len(WIDE.parameters) - len(params)
    assert params == list(WIDE.parameters)[: len(params)] != []
    assert headings.endswith(f"+{left_out} more") is (left_out > 0)
    assert "…" not in "".join(lines)
    below = " ".join(lines[4:])
    assert below.startswith("about "), "the time that is left comes first"
    assert "left, 1/16 done, 0 pruned, 0 failed, 0 s so far best 0.4000 (trial-000): depth=" in below
    assert "augmentation=" in below, "the best is told with all of its parameters"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_repetition_is_called_by_what_it_repeats(width: int) -> None:
    tags = {"sweep.of": "night", "sweep.of_trials": "11,4"}
    config = sweep_config(
        space=load_space("quickstart"),
        sampler="race",
        kind="confirm",
        tags=tags,
        trials=4,
        name="night.confirm-race-011-004",
    )
    next_seed = HandOut(until=None, cost=3, reports=0, why="its next seed")
    changes = [
        record(number, TrialState.RUNNING, params={"arm": arm, "repeat": repeat}, hand_outs=(next_seed,))
        for number, (arm, repeat) in enumerate([(1, 1), (0, 0), (1, 0)])
    ]
    told = io.StringIO()
    with followed(config, file=told) as progress:
        for change in changes:
            progress.trial_changed(change)
        lines = shown(progress, width)
        progress.trial_changed(replace(changes[0], state=TrialState.COMPLETE, epochs=(epoch(1),), value=0.5))
    assert "trial-004, seed 2: complete at 1/3, val_acc 0.5000, the best so far" in told.getvalue()
    assert "confirming trial-011, trial-004 of night with up to 4 seeds, 3 epochs, \nmax" in told.getvalue()
    assert lines[0].split() == ["training", "state", "val_acc"]
    assert [line.partition("  ")[0] for line in lines[1:4]] == [
        "trial-004, seed 2",
        "trial-011, seed 1",
        "trial-004, seed 1",
    ]
    assert "last choice: began trial-004, seed 1: its next seed" in lines
    assert "arm" not in " ".join(lines)
    assert progress._last_frame().columns == {"training": ["trial-004, seed 2"], "val_acc": ["0.5000"]}


def test_a_retrainings_seeds_are_counted_and_one_that_is_tried_again_is_the_same() -> None:
    naming = Naming(sweep_config(kind="retrain", tags={"sweep.of_trial": "11"}, trials=3))
    trainings = [record(n, params={"arm": 0, "repeat": repeat}) for n, repeat in enumerate([993, 7, 400])]
    again = record(3, params={"arm": 0, "repeat": 7}, retry_of=1)
    once_more = record(4, params={"arm": 0, "repeat": 7}, retry_of=3)
    seen = [naming.see(each) for each in (*reversed(trainings), again, once_more)]
    assert seen == [f"trial-011, seed {seed} of 3" for seed in (3, 2, 1, 2, 2)]


def test_each_end_stays_above_as_a_short_line() -> None:
    told = io.StringIO()
    config = sweep_config(space=WIDE, trials=16, max_epochs=5)
    with followed(config, file=told) as progress:
        for change in (
            of_wide(3, 0.1, 0.101, state=TrialState.PRUNED, stop_reason=StopReason.PRUNED),
            of_wide(4, *[0.4] * 5, state=TrialState.COMPLETE, value=0.4),
            of_wide(5, *[0.3] * 4, state=TrialState.COMPLETE, value=0.3),
            of_wide(6, state=TrialState.FAIL, stop_reason=StopReason.OOM, error="OutOfMemoryError: 3 GiB"),
            of_wide(7, 0.1, state=TrialState.PRUNED, stop_reason=StopReason.DIVERGED, error="loss is nan"),
        ):
            progress.trial_changed(change)
    said = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in told.getvalue().splitlines()]
    assert [line for line in said if line.startswith("trial-00")] == [
        "trial-003 pruned at 2/5, 0.1010",
        "trial-004 complete, 0.4000, the best so far",
        "trial-005 complete at 4/5, 0.3000",
        "trial-006 failed (oom) at 0/5: OutOfMemoryError: 3 GiB",
        "trial-007 diverged at 1/5: loss is nan",
    ]


def test_a_low_terminal_shows_as_many_rows_as_fit_and_how_many_there_are() -> None:
    config = sweep_config(space=WIDE, trials=16, max_epochs=5)
    progress = followed(config, *(of_wide(number, 0.1) for number in range(10)))
    lines = shown(progress, width=80, height=10)
    rows = [line for line in lines if line.startswith("trial-")]
    assert f"and {10 - len(rows)} more" in lines
    assert 1 < len(rows) < 10
    assert "0/16 done" in " ".join(lines)


def test_without_a_trial_there_are_the_lines_alone() -> None:
    progress = followed(sweep_config())
    assert shown(progress, 80)[0].startswith("0/4 done")


def test_a_long_name_of_a_metric_leaves_room_for_no_parameter() -> None:
    cells = {"trial": ["trial-000"], "state": ["epoch 1/5"], "m" * 38: ["0.1"], "lr": ["0.1"]}
    frame = Frame(cells, [], kept=3)
    assert list(frame.fitted(60)) == ["trial", "state", "m" * 38]
    assert list(frame.fitted(80)) == list(cells)


def test_a_line_waits_while_another_thread_draws() -> None:
    told = io.StringIO()
    console = SteadyConsole(file=told)
    printing = threading.Thread(target=console.print, args=("trial-000 complete",))
    with console.alone:
        printing.start()
        printing.join(0.1)
        assert told.getvalue() == ""
    printing.join()
    assert told.getvalue() == "trial-000 complete\n"
