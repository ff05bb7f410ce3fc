"""What `compare_trials.py` says of several sweeps, to people and to programs."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from script_runs import run_script
from sweep_makers import epoch, open_ledger, prune, run_trial, started, sweep_config

from search.config.definition import DatasetNote
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.engine.observers import Stop
from search.results.summary import summarise
from search.study.database import opened_storage
from search.study.records import StopReason
from search.tracking.repair.sweep_repair import sync_sweep

DIGITS = DatasetNote(name="digits", digest="d1" * 16, sizes={"train": 1150, "val": 287}, classes=10)
CIFAR = DatasetNote(name="cifar10", digest="c1" * 16, sizes={"train": 45000, "val": 5000}, classes=10)


def swept(folder: Path, name: str, best: float = 0.7, **fields: Any) -> SweepConfig:
    """A sweep with a trial in each state: complete twice, pruned, failed, and running without an epoch."""
    config = sweep_config(folder, name=name, trials=5, **fields)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        run_trial(ledger, (0.3, 0.5, 0.6))
        run_trial(ledger, (0.4, 0.5, best))
        ledger.report(started(ledger).number, epoch(1, 0.2))
        prune(ledger, 2)
        ledger.fail(started(ledger).number, StopReason.ERROR, "ValueError: no")
        started(ledger)
    return config


def compare(folder: Path, *arguments: object) -> Any:
    return run_script("compare", *arguments, "--sweeps-dir", folder)


def rows(folder: Path, *arguments: object) -> list[dict[str, str]]:
    """What is written as CSV."""
    told = compare(folder, *arguments, "--format", "csv")
    assert told.exit_code == 0, told.stderr
    return list(csv.DictReader(io.StringIO(told.stdout)))


def test_sweeps_on_the_same_data_share_a_leaderboard(tmp_path: Path) -> None:
    swept(tmp_path, "a", dataset=DIGITS)
    swept(tmp_path, "b", best=0.65, dataset=DIGITS)
    found = rows(tmp_path, "a", "b", "--top", 3)
    assert [(row["sweep"], row["trial"]) for row in found] == [("a", "1"), ("b", "1"), ("a", "0")]


@pytest.mark.parametrize(
    "other", [CIFAR, DIGITS.model_copy(update={"digest": "d2" * 16}), None], ids=["set", "split", "unknown"]
)
def test_sweeps_on_different_data_are_never_ranked_together(
    tmp_path: Path, other: DatasetNote | None
) -> None:
    swept(tmp_path, "a", dataset=DIGITS)
    swept(tmp_path, "b", dataset=other)
    for form in ("table", "csv"):
        refused = compare(tmp_path, "a", "b", "--format", form)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "a: digits, 1,150 train, 287 val, digest d1d1d1d1; b: " in refused.stderr
        assert "compare them one by one, or write every trial of each as CSV" in refused.stderr
    told = json.loads(compare(tmp_path, "a", "b", "--json").stdout)["sweeps"]
    assert [len(sweep["leaderboard"]) for sweep in told] == [2, 2], "one for each"
    assert len(rows(tmp_path, "a", "b", "--all")) == 10


def test_every_trial_is_written_whatever_became_of_it(tmp_path: Path) -> None:
    config = swept(tmp_path, "a")
    found = rows(tmp_path, "a", "--all", "--top", 1)
    assert [
        (row["trial"], row["state"], row["stop_reason"], row["val_acc"], row["epochs"]) for row in found
    ] == [
        ("0", "complete", "finished", "0.6", "3"),
        ("1", "complete", "finished", "0.7", "3"),
        ("2", "pruned", "pruned", "0.2", "1"),
        ("3", "failed", "error", "", "0"),
        ("4", "running", "", "", "0"),
    ]
    assert [row["train_s"] for row in found] == ["6.0", "6.0", "2.0", "0", "0"]
    assert all(1 <= int(row["depth"]) <= 3 and float(row["lr"]) for row in found)
    (sweep,) = json.loads(compare(tmp_path, config.name, "--all", "--json").stdout)["sweeps"]
    assert [len(trial.pop("history")) for trial in sweep["all_trials"]] == [3, 3, 1, 0, 0]
    assert [trial.pop("hand_outs") for trial in sweep["all_trials"]] == [[]] * 5
    assert [trial["state"] for trial in sweep["all_trials"]] == [row["state"] for row in found]
    assert sweep["all_trials"][1] == sweep["leaderboard"][0]


def test_an_epoch_of_json_has_all_its_metrics(tmp_path: Path) -> None:
    swept(tmp_path, "a")
    (sweep,) = json.loads(compare(tmp_path, "a", "--all", "--json").stdout)["sweeps"]
    assert sweep["all_trials"][2]["history"] == [{"epoch": 1, "metrics": {"val_acc": 0.2, "epoch_s": 2.0}}]
    (best_alone,) = json.loads(compare(tmp_path, "a", "--json").stdout)["sweeps"]
    assert best_alone["all_trials"] is None


def test_a_table_of_all_trials_is_refused(tmp_path: Path) -> None:
    swept(tmp_path, "a")
    refused = compare(tmp_path, "a", "--all")
    assert refused.exit_code == 2
    assert "--all: a table shows the best trials alone; add --format csv" in refused.stderr


def test_the_ui_is_of_one_store(tmp_path: Path) -> None:
    swept(tmp_path, "a", tracking_uri=f"sqlite:///{tmp_path}/here.db")
    swept(tmp_path, "b", tracking_uri="postgresql://me:secret@there/mlflow")
    refused = compare(tmp_path, "a", "b", "--ui")
    assert (refused.exit_code, refused.stdout) == (2, "")
    told = rf"in several \(a: sqlite:///{tmp_path}/here\.db, b: postgresql://me:\*\*\*@there/mlflow\)"
    assert re.search(told, refused.stderr)


def test_the_link_compares_all_experiments_of_a_store_and_tells_what_it_leaves_out(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    swept(tmp_path, "a", tracking_uri=uri)
    swept(tmp_path, "b", tracking_uri=uri, experiment="another")
    swept(tmp_path, "c", tracking_uri="sqlite:///elsewhere.db")
    for name in ("a", "b"):
        sync_sweep(name, tmp_path)
    told = compare(tmp_path, "a", "b", "c")
    assert told.exit_code == 0, told.stderr
    assert "2 of these 6 trials are not in it" in told.stderr
    (link,) = re.findall(r"comparison +(\S+)", told.stdout)
    query = parse_qs(urlsplit(urlsplit(link).fragment).query)
    assert len(json.loads(query["runs"][0])) == 4
    assert len(json.loads(query["experiments"][0])) == 2


def test_why_trials_failed_is_told_and_exported(tmp_path: Path) -> None:
    config = swept(tmp_path, "a")
    told = compare(tmp_path, "a").stdout.splitlines()
    assert told[told.index("a: 1 running or interrupted, 2 complete, 1 pruned, 1 failed") + 1] == (
        "  trial-003 failed (error): ValueError: no"
    )
    errors = [row["error"] for row in rows(tmp_path, "a", "--all")]
    assert errors == ["", "", "", "ValueError: no", ""]
    (plain,) = json.loads(compare(tmp_path, "a", "--all", "--json").stdout)["sweeps"]
    assert [row["error"] for row in plain["all_trials"]] == [error or None for error in errors]
    records = summarise("a", tmp_path).records
    result = SweepResult(config, records, Stop.FAILURES, None, seconds=9.0, page=None, utilisation=None)
    assert list(result.dataframe().columns) == list(rows(tmp_path, "a")[0])
    assert result.dataframe().error.fillna("").tolist() == errors
    assert repr(result) == (
        "<SweepResult a: 1 running, 2 complete, 1 pruned, 1 failed, best trial-001 with val_acc=0.7000, "
        "stopped: too many trials failed, 9 s>"
    )
