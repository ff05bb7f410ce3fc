"""A real browser, driven over chromedriver's plain HTTP protocol, which needs no Python package.

A virtual clock (`chromium --dump-dom --virtual-time-budget`) ran out before pages were loaded.
"""

from __future__ import annotations

import base64
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

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on PATH"),
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on PATH"),
]
_QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
_PATIENCE_S = 120.0  # a busy machine draws a large page in more than half a minute
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's own name of an element's id


class Browser:
    """One session of a browser."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, url: str) -> None:
        """Go there."""
        call("POST", f"{self._session}/url", {"url": url})

    def source_with(self, wanted: Sequence[str]) -> str:
        """The page's source, as soon as it has all that is wanted, or after two minutes."""
        deadline, page = time.monotonic() + _PATIENCE_S, ""
        while time.monotonic() < deadline and not all(text in page for text in wanted):
            time.sleep(0.2)
            page = call("GET", f"{self._session}/source")
        return page

    def text_of(self, selector: str) -> str:
        """What an element shows."""
        found: str = call("GET", f"{self._element(selector)}/text")
        return found

    def value_of(self, selector: str) -> str:
        """What an input holds."""
        found: str = call("GET", f"{self._element(selector)}/property/value")
        return found

    def type(self, selector: str, text: str) -> None:
        """Type into an element; into a file input, the paths of files, a line each."""
        call("POST", f"{self._element(selector)}/value", {"text": text})

    def run(self, script: str) -> Any:
        """What a piece of JavaScript returns in the page."""
        return call("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def drag(self, selector: str, right: int, down: int) -> None:
        """Press the mouse in an element's middle, move it by so many pixels, and let go."""
        middle = {_ELEMENT: self._element(selector).rpartition("/")[2]}
        steps = [
            {"type": "pointerMove", "origin": middle, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "origin": "pointer", "x": right, "y": down, "duration": 200},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": steps}
        call("POST", f"{self._session}/actions", {"actions": [mouse]})

    def screenshot(self, file: Path) -> None:
        """Save what there is to see."""
        file.write_bytes(base64.b64decode(call("GET", f"{self._session}/screenshot")))

    def _element(self, selector: str) -> str:
        found = call("POST", f"{self._session}/element", {"using": "css selector", "value": selector})
        return f"{self._session}/element/{found[_ELEMENT]}"


@contextmanager
def browsing(folder: Path, width: int, height: int) -> Iterator[Browser]:
    """A fresh browser, gone at the end."""
    port = free_port()
    driver = f"http://127.0.0.1:{port}"
    with serving([str(DRIVER), f"--port={port}"], {}, f"{driver}/status", folder):
        arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--window-size={width},{height}",
            *_QUIET,
        ]
        options = {"binary": CHROMIUM, "args": [*arguments, f"--user-data-dir={folder / 'profile'}"]}
        wish = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = f"{driver}/session/" + call("POST", f"{driver}/session", wish)["sessionId"]
        try:
            yield Browser(session)
        finally:
            call("DELETE", session)  # ends the browser


@contextmanager
def serving(arguments: Sequence[str], variables: dict[str, str], health: str, folder: Path) -> Iterator[None]:
    """Run a server until the block ends, and take its whole process group along."""
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(
        arguments, env=os.environ | variables, cwd=folder, stdout=log, stderr=log, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        while not answers(health):
            assert server.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.2)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    """One command of the protocol."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["value"]


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True
