"""The saved views in the real MLflow UI, in a browser that has never been there: their format is the UI's own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from search.mlflow_links import ui_arguments, view_link
from search.mlflow_views import charts_view, leaderboard_view, view_key

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TRIALS = [f"trial-{number:03d}" for number in range(12)]  # more than the ten that the UI shows by itself
PARAMS = ["depth", "lr", "lr_log10"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on PATH"),
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
        accuracy = 0.5 + number / 100
        metrics = [Metric("val_acc", accuracy * epoch / 2, epoch, epoch) for epoch in (1, 2)]
        metrics += [Metric("train_loss", 2 / epoch, epoch, epoch) for epoch in (1, 2)]
        metrics += [Metric("val_loss", 3 / epoch, epoch, epoch) for epoch in (1, 2)]
        metrics.append(Metric("final_val_acc", accuracy, 3, 0))
        params = {"depth": number % 4 + 2, "lr": 10.0 ** -(number % 3 + 1), "lr_log10": -(number % 3 + 1)}
        client.log_batch(run_id, metrics, [Param(key, str(value)) for key, value in params.items()])
        client.set_terminated(run_id)
    for view in (leaderboard_view, charts_view):
        client.set_experiment_tag(experiment, *view(parent, PARAMS, "final_val_acc", False, name="mine"))
    return experiment, parent


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail("the MLflow server did not answer")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """A server over a small store: its address, the experiment and the sweep's parent run."""
    folder = tmp_path_factory.mktemp("site")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    experiment, parent = _fill(uri, folder / "artifacts")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = ui_arguments(uri, port=port)
    assert started is not None
    arguments, variables = started
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            arguments, env=os.environ | variables, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(url, server)
        yield url, experiment, parent
    finally:
        _kill_group(server)


def _page(url: str, profile: Path) -> str:
    """The page as the browser shows it after its requests are answered."""
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    command += [f"--user-data-dir={profile}", "--window-size=2400,2400", "--virtual-time-budget=20000"]
    browser = subprocess.Popen(
        [*command, "--dump-dom", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return browser.communicate(timeout=50)[0].decode()
    finally:
        _kill_group(browser)


def test_the_leaderboard_shows_the_trials_best_first(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    page = _page(view_link(url, experiment, view_key(parent, charts=False), charts=False), tmp_path)
    places = [page.find(f">{name}<") for name in reversed(TRIALS)]
    assert -1 not in places
    assert places == sorted(places)
    assert "stranger" not in page
    for title in ("sweep.state", "final_val_acc", *PARAMS, "Duration"):
        assert f">{title}<" in page


def test_the_charts_are_drawn_for_every_trial(site: tuple[str, str, str], tmp_path: Path) -> None:
    url, experiment, parent = site
    page = _page(view_link(url, experiment, view_key(parent, charts=True), charts=True), tmp_path)
    assert [name for name in TRIALS if f">{name}<" not in page] == []
    titles = [
        "Parallel Coordinates",
        "lr_log10 vs. final_val_acc",
        "lr_log10 vs. depth vs. final_val_acc",
        "final_val_acc",
        "val_acc",
        "train_loss",
        "val_loss",  # the UI's own, in the section below
    ]
    assert [title for title in titles if title not in page] == []
