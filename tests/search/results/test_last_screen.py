"""The last screen of a command: whole for programs, and as wide as a person's terminal."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from sweep_makers import epoch, record, sweep_config

from scripts import screen, sweep_output
from scripts.comparison_output import print_summary
from search.driver import SweepResult
from search.engine.observers import Stop
from search.results.leaderboard import savings
from search.results.summary import SweepSummary
from spaces.registry import load_space

LINKS = [(name, f"http://127.0.0.1:5000/#/experiments/1/runs?{name * 40}") for name in ("charts", "trials")]
RECORDS = [record(number, params={"lr": 0.1, "depth": 2}, value=0.5) for number in range(3)]


def printed(monkeypatch: pytest.MonkeyPatch, columns: int | None) -> str:
    """What is printed of a sweep: in a terminal that is so wide, or into a pipe."""
    told = io.StringIO()
    terminal = columns is not None
    out = Console(
        file=told,
        width=1000,
        soft_wrap=True,
        force_terminal=terminal,
        markup=False,
        color_system="standard" if terminal else None,
    )
    monkeypatch.setattr(screen, "out", out)
    monkeypatch.setenv("COLUMNS", str(columns or 1))
    config = sweep_config(space=load_space("wide"))
    out.print(screen.leaderboard([(config, each) for each in RECORDS], config, ["lr"]))
    screen.print_links(LINKS, config)
    return told.getvalue()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_terminal_gets_what_fits_and_names_that_are_links(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = printed(monkeypatch, columns)
    for _, address in LINKS:
        assert told.count(address) == 1, "each is printed once, to be followed"
    seen = re.sub(r"\x1b\]8;.*?\x1b\\|\x1b\[[0-9;]*m", "", told).splitlines()
    table = seen[: len(RECORDS) + 1]
    assert all(len(line) <= columns for line in table)
    assert table[0].split()[:6] == ["trial", "val_acc", "epochs", "train", "time", "lr"]
    assert re.search(r"\+\d+ more$", table[0])
    assert seen[-1] == "  http://127.0.0.1:5000/#/experiments/1/runs (charts, trials)"


def test_a_program_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = printed(monkeypatch, None).splitlines()
    assert set(load_space("wide").parameters) <= set(told[0].split())
    assert [line.split() for line in told[-2:]] == [list(link) for link in LINKS]


def test_a_sweep_that_is_finished_at_once_advises_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep_output, "print_report", lambda result: None)
    config, ended = sweep_config(trials=3), [record(0, value=0.5, epochs=(epoch(1),))]
    told = []
    for finishes in (False, True):
        result = SweepResult(config, ended, None, None, 1.0, None, None)
        sweep_output.print_result(result, finishes=finishes)
        told.append(capsys.readouterr().out)
    assert told[0].count("resume_sweep.py") == told[0].count("retrain_best.py") == 1
    assert "this run 1 s: nothing was left to train\n" in told[1]
    assert not any(script in told[1] for script in ("resume_sweep.py", "retrain_best.py"))


def test_an_interrupted_sweep_tells_how_to_go_on_before_its_report_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cut_off(result: SweepResult) -> None:
        raise TimeoutError("what did not stop in time is ended by force")

    monkeypatch.setattr(sweep_output, "print_report", cut_off)
    result = SweepResult(
        sweep_config(trials=3),
        [record(0, value=0.5, epochs=(epoch(1),))],
        Stop.INTERRUPTED,
        None,
        1.0,
        None,
        None,
    )
    with pytest.raises(TimeoutError):
        sweep_output.print_result(result)
    assert "resume it with:  uv run scripts/resume_sweep.py" in capsys.readouterr().out


def test_the_cost_is_told_at_the_end_of_a_sweep_and_in_a_comparison(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep_output, "print_report", lambda result: None)
    config, ended = sweep_config(), [record(0, epochs=(epoch(1, cpus=900.0, gpus=0.0),))]
    sweep_output.print_result(SweepResult(config, ended, None, None, 1.0, None, None))
    print_summary(SweepSummary(config, "id", ended, {}, savings(ended, 3)))
    told = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "spent: 1 epoch; 0.5 core-hours of training" in told
    assert "cost: 0.5 core-hours of training" in told
