"""A report that is served is as new as its study, and gone at Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from browsers import CHROMIUM, DRIVER, Browser, browsing, free_port, serving
from script_runs import run_script
from starlette.testclient import TestClient
from sweep_makers import open_ledger, run_trial, started, sweep_config

from search.errors import UserError
from search.reporting.live import LivePages, report_app
from search.study.database import opened_storage

ROOT = Path(__file__).parents[3]


def test_a_page_is_sent_again_only_when_it_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.reporting.live.EVERY_S", 0.0)
    pages = iter(["<p>one</p>", "<p>one</p>", "<p>two</p>"])

    def make() -> str:
        for page in pages:
            return page
        raise UserError("there is no sweep 'night'")

    client = TestClient(report_app(LivePages(make)), base_url="http://127.0.0.1")
    first = client.get("/")
    assert (first.status_code, first.text) == (200, "<p>one</p>")
    same = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": first.headers["ETag"]}).text == "<p>two</p>"
    gone = client.get("/")
    assert (gone.status_code, gone.text) == (503, "not up to date: there is no sweep 'night'")
    assert "Plotly" in client.get("/plotly.js").text
    assert client.get("/", headers={"Host": "elsewhere.org"}).status_code == 400


def test_pages_are_made_no_more_often_than_they_can_be() -> None:
    made: list[int] = []
    pages = LivePages(lambda: made.append(1) or "<p>page</p>")  # type: ignore[func-returns-value]
    assert pages.newest() is pages.newest()
    assert len(made) == 1


def test_a_sweep_that_runs_is_served_until_ctrl_c(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    config.save()
    with opened_storage(config.storage_url) as storage:
        run_trial(open_ledger(config, storage), [0.1, 0.2, 0.3])
    command = [
        sys.executable,
        "scripts/report_sweep.py",
        config.name,
        "--serve",
        "--sweeps-dir",
        str(tmp_path),
    ]
    variables = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        told = server.stderr.readline(), server.stderr.readline()
        assert told[0].startswith("no link to the sweep's run in MLflow: "), "the sweep has no store"
        address = re.search(r"http://127\.0\.0\.1:\d+/", told[1])
        assert address is not None
        with urllib.request.urlopen(address[0], timeout=30) as answer:
            assert "1 complete" in answer.read().decode()
        server.send_signal(signal.SIGINT)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGABRT)  # it tells where it hangs
        assert (server.wait(), server.stderr.read()) == (0, "")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address[0], timeout=5)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no browser, or nothing to drive it with")
def test_a_page_follows_the_sweep_and_stays_as_its_reader_left_it(tmp_path: Path) -> None:
    config, port = sweep_config(tmp_path), free_port()
    config.save()
    address = f"http://127.0.0.1:{port}/"
    command = [sys.executable, str(ROOT / "scripts/report_sweep.py"), config.name, "--serve"]
    command += ["--port", str(port), "--sweeps-dir", str(tmp_path)]
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        run_trial(ledger, [0.1, 0.2, 0.3])
        with (
            serving(command, {}, address, tmp_path),
            browsing(tmp_path, width=900, height=900) as browser,
        ):
            browser.open(address)
            browser.type("#filter", "complete")
            assert browser.text_of(".trials tbody").startswith("trial-000 complete 0.3000")
            browser.run("document.querySelector('#learning_curves').scrollIntoView()")
            whole = _ranges(browser)
            browser.drag("#learning_curves .nsewdrag", right=60, down=40)
            zoomed = _ranges(browser)
            assert all(new != old for new, old in zip(zoomed, whole, strict=True))
            run_trial(ledger, [0.1, 0.2, 0.4])
            started(ledger)
            assert "2 complete" in browser.source_with(["1 running, 2 complete"])
            assert browser.value_of("#filter") == "complete"
            assert browser.text_of("#filtered") == "2 of 3"
            assert browser.text_of("#live").startswith("live, as of ")
            assert _ranges(browser) == zoomed


def _ranges(browser: Browser) -> list[list[float]]:
    """What the figure of learning curves spans, once it is drawn: epochs, and values."""
    browser.source_with(["nsewdrag"])
    layout = "document.querySelector('#learning_curves .drawing')._fullLayout"
    ranges: list[list[float]] = browser.run(f"return [{layout}.xaxis.range, {layout}.yaxis.range]")
    return ranges


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    config.save()
    with opened_storage(config.storage_url) as storage:
        run_trial(open_ledger(config, storage), [0.1, 0.2, 0.3])
    for words, why in (
        (["--json"], "--serve: give it or --json, not both"),
        (["--figures"], "--serve writes no file: leave out --file and --figures"),
    ):
        ended = run_script("report", config.name, "--serve", *words, "--sweeps-dir", tmp_path)
        assert (ended.exit_code, why in ended.stderr) == (2, True), ended.stderr
