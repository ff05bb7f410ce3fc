"""The saved views in the real MLflow UI, in a browser that has never been there: the format is the UI's own.

The browser is driven by `chromedriver` over its plain HTTP protocol, which needs no Python package. A virtual
clock (`chromium --dump-dom --virtual-time-budget`) ran out before the charts were loaded on a busy machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from search.tracking.links import leaderboard_link, ui_arguments, view_link
from search.tracking.saved_views import charts_view, leaderboard_view, view_key

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
TRIALS = [f"trial-{number:03d}" for number in range(12)]  # more than the ten that the UI draws by itself
PARAMS = ["depth", "lr", "lr_log10"]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on PATH"),
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on PATH"),
]


def _fill(uri: str, artifacts: Path) -> tuple[str, str]:
    """A sweep of twelve trials and a stranger, with both views; returns the experiment and the parent run."""
    client = MlflowClient(uri)
    experiment = client.create_experiment("views", artifact_location=artifacts.as_uri())
    parent = client.create_run(experiment, run_name="sweep").info.run_id
    client.create_run(experiment, run_name="stranger")
    for number, name in enumerate(TRIALS):
        tags = {"mlflow.parentRunId": parent, "sweep.state": "complete"}
        run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
        by_epoch = {"val_acc": 0.5 + number / 100, "train_loss": 2.0, "val_loss": 3.0}
        metrics = [Metric(key, by_epoch[key] * epoch, epoch, epoch) for key in by_epoch for epoch in (1, 2)]
        metrics.append(Metric("final_val_acc", 0.5 + number / 100, 3, 0))
        params = {"depth": number % 4 + 2, "lr": 10.0 ** -(number % 3 + 1), "lr_log10": -(number % 3 + 1)}
        client.log_batch(run_id, metrics, [Param(key, str(value)) for key, value in params.items()])
        client.set_terminated(run_id)
    for view in (leaderboard_view, charts_view):
        client.set_experiment_tag(experiment, *view(parent, PARAMS, "final_val_acc", False, name="mine"))
    return experiment, parent


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def _serving(
    arguments: Sequence[str], variables: dict[str, str], health: str, folder: Path
) -> Iterator[None]:
    """Run a server until the block ends, and take its whole process group along."""
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(
        arguments, env=os.environ | variables, cwd=folder, stdout=log, stderr=log, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 40
        while not _answers(health):
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.2)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """The MLflow UI over a small store: its address, the experiment and the sweep's parent run."""
    folder = tmp_path_factory.mktemp("site")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    experiment, parent = _fill(uri, folder / "artifacts")
    port = _free_port()
    started = ui_arguments(uri, port=port)
    assert started is not None
    url = f"http://127.0.0.1:{port}"
    with _serving(*started, health=f"{url}/health", folder=folder):
        yield url, experiment, parent


def _page(url: str, folder: Path, wanted: Sequence[str]) -> str:
    """The page in a fresh browser, as soon as it shows all that is wanted, or after half a minute."""
    port = _free_port()
    driver = f"http://127.0.0.1:{port}"
    with _serving([str(DRIVER), f"--port={port}"], {}, f"{driver}/status", folder):
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=2400,2400", *QUIET]
        options = {"binary": CHROMIUM, "args": [*arguments, f"--user-data-dir={folder / 'profile'}"]}
        session = f"{driver}/session"
        wish = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session += "/" + _call("POST", session, wish)["sessionId"]
        try:
            _call("POST", f"{session}/url", {"url": url})
            deadline = time.monotonic() + 30
            page = ""
            while time.monotonic() < deadline and not all(text in page for text in wanted):
                time.sleep(0.3)
                page = _call("GET", f"{session}/source")
        finally:
            _call("DELETE", session)  # ends the browser
    return page


def _call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


def _missing(page: str, wanted: Sequence[str]) -> list[str]:
    return [text for text in wanted if text not in page]


def test_the_leaderboard_shows_the_trials_best_first(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    titles = ["sweep.state", "final_val_acc", *PARAMS, "Duration"]
    wanted = [f">{text}<" for text in [*TRIALS, *titles, "mine"]]
    link = view_link(url, experiment, view_key(parent, charts=False), charts=False)
    page = _page(link, tmp_path, wanted)
    assert _missing(page, wanted) == []
    assert sorted(TRIALS, key=lambda name: page.index(f">{name}<")) == TRIALS[::-1]
    assert "stranger" not in page


def test_the_charts_are_drawn_for_every_trial(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    titles = [
        "Parallel Coordinates",
        "lr_log10 vs. final_val_acc",
        "lr_log10 vs. depth vs. final_val_acc",
        "val_acc",
        "train_loss",
        "val_loss",  # the UI's own, in the section below
    ]
    legends = [f"{name} (val_acc)" for name in TRIALS]
    wanted = [*titles, *legends]
    page = _page(view_link(url, experiment, view_key(parent, charts=True), charts=True), tmp_path, wanted)
    assert _missing(page, wanted) == []


def test_the_leaderboard_link_needs_no_view(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    wanted = [f">{name}<" for name in TRIALS]
    link = leaderboard_link(url, experiment, parent, "final_val_acc", ascending=True)
    page = _page(link, tmp_path, wanted)
    assert _missing(page, wanted) == []
    assert sorted(TRIALS, key=lambda name: page.index(f">{name}<")) == TRIALS
    assert "stranger" not in page
