"""The links say what was asked, and the command starts what it should."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from search.errors import UserError
from search.tracking.pages.links import compare_link, leaderboard_link, ui_arguments, view_link
from search.tracking.pages.server import serve_ui

BASE = "http://127.0.0.1:5000"
STORE = "sqlite:////data/my runs/mlflow.db"


def _parts(link: str) -> tuple[str, dict[str, str]]:
    """The page and the query of the UI's own address, behind the `#`."""
    assert link.startswith(f"{BASE}/#/")
    route = urlsplit(urlsplit(link).fragment)
    return route.path, {name: value for name, [value] in parse_qs(route.query, strict_parsing=True).items()}


def test_compare_link_names_every_run_and_the_experiment() -> None:
    page, query = _parts(compare_link(BASE, ["7"], ["a1", "b2"]))
    assert page == "/compare-runs"
    assert json.loads(query["runs"]) == ["a1", "b2"]
    assert json.loads(query["experiments"]) == ["7"]


@pytest.mark.parametrize(("ascending", "written"), [(False, "false"), (True, "true")])
def test_leaderboard_link_filters_and_sorts(ascending: bool, written: str) -> None:
    page, query = _parts(leaderboard_link(BASE, "7", "p1", "final_val_acc", ascending))
    assert page == "/experiments/7/runs"
    assert query["searchFilter"] == "tags.mlflow.parentRunId = 'p1'"
    assert query["orderByKey"] == "metrics.`final_val_acc`"
    assert query["orderByAsc"] == written
    assert query["startTime"] == "ALL"


@pytest.mark.parametrize(("charts", "mode"), [(False, "TABLE"), (True, "CHART")])
def test_view_link_carries_nothing_that_overrides_the_view(charts: bool, mode: str) -> None:
    page, query = _parts(view_link(BASE, "7", "p1-charts", charts))
    assert page == "/experiments/7/runs"
    assert query == {
        "viewStateShareKey": "p1-charts",
        "compareRunsMode": mode,
        "workflowType": "machine_learning",
    }


def test_every_link_lands_on_the_pages_for_model_training() -> None:
    links = [
        compare_link(BASE, ["7"], ["a1"]),
        leaderboard_link(BASE, "7", "p1", "final_val_acc", ascending=False),
        view_link(BASE, "7", "p1", charts=False),
    ]
    assert {_parts(link)[1]["workflowType"] for link in links} == {"machine_learning"}


def test_odd_characters_are_encoded_and_come_back() -> None:
    link = leaderboard_link(f"{BASE}/", "7", "p1", "acc & loss #1 ü+é", ascending=False)
    assert not set(link.partition("#")[2]) & set(" `'\"#+üé")
    assert _parts(link)[1]["orderByKey"] == "metrics.`acc & loss #1 ü+é`"


def test_a_slash_in_the_base_url_is_kept_once() -> None:
    link = view_link("https://ml.example/mlflow/", "7", "k", charts=True)
    assert link.startswith("https://ml.example/mlflow/#/experiments/")


def test_the_ui_is_started_small_and_on_this_store() -> None:
    started = ui_arguments(STORE, port=5001)
    assert started is not None
    words, variables = started
    assert words[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert not any(STORE in word for word in words), "a command line is for everybody to read"
    assert words[words.index("--port") + 1] == "5001"
    assert words[words.index("--workers") + 1] == "1"
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert variables == {
        "MLFLOW_BACKEND_STORE_URI": STORE,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


@pytest.mark.parametrize("uri", ["http://tracking:5000", "https://tracking", "HTTPS://tracking"])
def test_a_server_need_not_be_started(uri: str) -> None:
    assert ui_arguments(uri) is None


def test_a_port_that_is_taken_is_said_before_a_server_is_started(tmp_path: Path) -> None:
    store = tmp_path / "mlflow.db"
    store.touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"`port={port}`: Address already in use; choose another"):
            serve_ui(f"sqlite:///{store}", port, announce=lambda line: pytest.fail(line))
