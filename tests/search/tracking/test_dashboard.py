"""Optuna's own dashboard opens a sweep's study as it is."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from browsers import free_port, serving
from sweep_makers import CONDITIONAL, epoch, open_ledger, prune, started, sweep_config

from search.study.database import opened_storage
from search.study.records import Outcome, StopReason
from search.study.transitions import Decision

DASHBOARD = str(Path(sys.executable).with_name("optuna-dashboard"))


def get(url: str) -> Any:
    """The JSON at a URL."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def post(url: str, **fields: Any) -> None:
    """Send JSON to a URL."""
    kind = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(fields).encode(), kind), timeout=10).close()


@pytest.mark.skipif(not Path(DASHBOARD).is_file(), reason="the extra `dashboard` is not installed")
def test_the_dashboard_shows_the_study_and_what_it_ends_is_ended(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, trials=4, space=CONDITIONAL, sampler="random")
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for _ in range(4):
            started(ledger)
        for number in range(3):
            ledger.report(number, epoch(1, 0.3 + number / 10))
        ledger.report(0, epoch(2, 0.9))
        ledger.complete(0)
        prune(ledger, 1)
        ledger.fail(2, StopReason.ERROR, "ValueError: broken")
        study = ledger.study
        expected = {trial.number: trial for trial in study.get_trials()}

        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with serving([DASHBOARD, config.storage_url, "--port", str(port)], {}, f"{url}/dashboard", tmp_path):
            (summary,) = get(f"{url}/api/studies")["study_summaries"]
            detail = get(f"{url}/api/studies/{summary['study_id']}?after=0")
            (running,) = [trial for trial in detail["trials"] if trial["state"] == "Running"]
            post(f"{url}/api/trials/{running['trial_id']}/tell", state="Fail")
        assert summary["study_name"] == config.name
        shown = {trial["number"]: trial for trial in detail["trials"]}
        assert {number: trial["state"] for number, trial in shown.items()} == {
            0: "Complete",
            1: "Pruned",
            2: "Fail",
            3: "Running",
        }
        for number, trial in shown.items():
            steps = {each["step"]: each["value"] for each in trial["intermediate_values"]}
            assert steps == expected[number].intermediate_values
            assert {each["name"] for each in trial["params"]} == set(expected[number].params)
        assert shown[0]["values"] == [0.9]
        assert detail["objective_names"] == ["val_acc"]
        ended, decision = ledger.report(3, epoch(1, 0.4))
        assert (ended.outcome, ended.stop_reason) == (Outcome.FAILED, StopReason.EXTERNAL)
        assert decision is Decision.STOP
