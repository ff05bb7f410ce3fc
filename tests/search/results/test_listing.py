"""The sweeps of a folder in a list: what each is, and a line for one that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from script_runs import run_script
from sweep_makers import epoch, open_ledger, prune, run_trial, started, sweep_config

from search.config.sweep_config import SweepConfig
from search.results.listing import list_sweeps
from search.study.database import opened_storage
from search.study.lease import Lease


def sweep(folder: Path, name: str, trials: int, unended: bool = False) -> SweepConfig:
    """A sweep of four trials of which so many have ended, the second by the pruner."""
    config = sweep_config(folder, name=name)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for number in range(trials):
            if number == 1:
                ledger.report(started(ledger).number, epoch(1, 0.1))
                prune(ledger, number)
            else:
                run_trial(ledger, [0.5 + number / 10])
        if unended:
            started(ledger)
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    sweep(folder, "done", 4)
    sweep(folder, "half", 2, unended=True)
    sweep_config(folder, name="new").save()
    (folder / "broken").mkdir()
    (folder / "broken" / "sweep.json").write_text("{")
    damaged = sweep(folder, "damaged", 1)
    Path(damaged.storage_url.removeprefix("sqlite:///")).write_bytes(b"no database " * 500)
    (folder / "notes.txt").write_text("no sweep")
    return folder


def test_each_has_its_state_its_best_and_its_trials(folder: Path) -> None:
    listed = {sweep.name: sweep for sweep in list_sweeps(folder)}
    assert {name: sweep.state for name, sweep in listed.items()} == {
        "done": "finished",
        "half": "interrupted",
        "new": "not begun",
        "broken": "unreadable",
        "damaged": "unreadable",
    }
    done, half = listed["done"], listed["half"]
    assert done.best is not None
    assert (done.best.key, done.trials) == ("trial-003", {"complete": 3, "pruned": 1})
    assert half.trials == {"running": 1, "complete": 1, "pruned": 1}
    assert done.bytes > 50_000


def test_one_that_is_driven_runs(folder: Path) -> None:
    config = SweepConfig.load("half", folder)
    with opened_storage(config.storage_url) as storage, Lease.hold(storage.engine, "half"):
        [half] = [sweep for sweep in list_sweeps(folder) if sweep.name == "half"]
    assert half.state == "running"
    assert "pid" in (half.driver or "")


def test_a_person_gets_a_table_and_a_line_for_what_cannot_be_read(folder: Path) -> None:
    told = run_script("list", "--sweeps-dir", folder)
    assert (told.exit_code, told.stderr) == (0, "")
    headings, *lines = told.stdout.splitlines()
    assert headings.split() == ["sweep", "state", "best", "trials", "changed", "size", "of", "which"]
    rows = {line.split()[0]: " ".join(line.split()) for line in lines[:5]}
    assert rows["done"].startswith("done finished val_acc 0.8000 ")
    assert rows["half"].endswith("1 unfinished, 1 complete, 1 pruned")
    assert rows["new"].startswith("new not begun - 0 - ")
    assert [line.partition(":")[0] for line in lines[5:]] == [
        "broken cannot be read",
        "damaged cannot be read",
    ]
    assert "Traceback" not in told.stdout


def test_a_program_gets_the_same_keys_of_every_sweep(folder: Path) -> None:
    listed = json.loads(run_script("list", "--json", "--sweeps-dir", folder).stdout)["sweeps"]
    keys = """sweep state driver metric direction best trials most_trials began changed bytes error"""
    assert {tuple(each) for each in listed} == {tuple(keys.split())}
    half = next(each for each in listed if each["sweep"] == "half")
    assert half["best"] == {"trial": 0, "value": 0.5}
    assert half["most_trials"] == 4
    assert half["changed"].endswith("+00:00")


def test_a_folder_without_sweeps_says_how_to_launch_one(tmp_path: Path) -> None:
    told = run_script("list", "--sweeps-dir", tmp_path / "nowhere").stdout
    assert told.startswith(f"no sweep in {tmp_path / 'nowhere'}; launch one with:  ")
    assert json.loads(run_script("list", "--json", "--sweeps-dir", tmp_path).stdout) == {"sweeps": []}
