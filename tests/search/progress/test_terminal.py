"""What is said while a live display is up stays on the screen of a real terminal, 80 columns wide."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest

COLUMNS, ROWS = 80, 24
FOLLOWED = """
import logging, sys, time, warnings
logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s: %(message)s")
library = logging.getLogger("library")
library.addHandler(logging.StreamHandler())  # as Ray and Optuna do when they are imported
library.propagate = False
from optuna.trial import TrialState
from search.engine.observers import Stop
from search.progress.live import Progress
from search.progress.terminal import SteadyConsole
from sweep_makers import record, sweep_config

with Progress(sweep_config(), SteadyConsole(stderr=True, soft_wrap=True)) as progress:
    progress.sweep_opened([record(number, TrialState.RUNNING) for number in range(3)])
    time.sleep(0.7)
    logging.getLogger("search").warning("our own")
    library.warning("a library's")
    warnings.warn("Python's")
    print("printed", file=sys.stderr)
    time.sleep(0.7)
    logging.getLogger("search").warning("long, " + "very-" * 30 + "long")
    progress.stop_requested(Stop.INTERRUPTED, 2.0)
    time.sleep(1.5)
    print("SEEN", flush=True)
    time.sleep(1)
library.warning("after it")
"""


class Screen:
    """As much of a terminal as a live display asks for: wrapping, the cursor upwards, erasing a line."""

    _PIECES = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self) -> None:
        self._lines, self._row, self._column = [""], 0, 0
        self._wraps = False  # the last column is written; the next letter goes to the next line

    def feed(self, text: str) -> None:
        for piece in self._PIECES.finditer(text):
            if piece[4]:
                for letter in piece[4]:
                    self._write(letter)
            else:
                self._control(piece[3] or piece[2], piece[1] or "")

    def _control(self, what: str, number: str) -> None:
        self._wraps = False
        if what == "\r":
            self._column = 0
        elif what == "\n":
            self._down()
        elif what == "A":
            self._row -= int(number or 1)
        elif what == "K":
            line = self._lines[self._row]
            self._lines[self._row] = "" if number == "2" else line[: self._column]
        else:
            assert what in "mhl", f"a terminal would do something at {number}{what}"

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")

    def _write(self, letter: str) -> None:
        if self._wraps:
            self._down()
            self._column, self._wraps = 0, False
        line = self._lines[self._row].ljust(self._column)
        self._lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
        self._wraps = self._column == COLUMNS - 1
        self._column = min(self._column + 1, COLUMNS - 1)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._lines]


@pytest.fixture(scope="module")
def screens() -> tuple[list[str], list[str]]:
    """A terminal's lines while a stop's time runs, and at the end."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    here = Path(__file__).parents[1]
    variables = {**os.environ, "PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here}", "TERM": "xterm"}
    command = [sys.executable, "-c", FOLLOWED]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=variables)
    os.close(slave)
    screen, during = Screen(), None
    until = time.monotonic() + 60
    while process.poll() is None or select.select([master], [], [], 0.1)[0]:
        assert time.monotonic() < until, screen.lines
        try:
            screen.feed(read_some(master))
        except OSError:  # how Linux tells that the other side has closed
            break
        if during is None and "SEEN" in screen.lines:
            during = screen.lines
    os.close(master)
    assert process.wait() == 0, screen.lines
    assert during is not None
    return during, screen.lines


def read_some(master: int) -> str:
    """What has come, as far as it is whole."""
    text = ""
    while select.select([master], [], [], 0.1)[0]:
        text += os.read(master, 65536).decode()
    return text


def test_what_anybody_says_stays_above_the_display(screens: tuple[list[str], list[str]]) -> None:
    for lines in screens:
        said = [line for line in lines if line in ("WARNING: our own", "a library's", "printed")]
        assert said == ["WARNING: our own", "a library's", "printed"]
        assert sum("UserWarning: Python's" in line for line in lines) == 1
        whole = "".join(lines)
        assert whole.count("WARNING: long, " + "very-" * 30 + "long") == 1


def test_the_display_is_below_it_whole_and_shows_that_a_stop_was_heard(
    screens: tuple[list[str], list[str]],
) -> None:
    during, _ = screens
    rows = [line for line in during if line.startswith("trial-00")]
    assert len(rows) == 3, "it is drawn once"
    summary, stop = "".join(during).index("0/4 done"), "".join(during).index("stopping (interrupted)")
    assert "".join(during).index("WARNING: our own") < summary < stop
    left = re.search(r"running epochs have (\d) s to end; interrupt again to stop at once", " ".join(during))
    assert left is not None
    assert left[1] == "1", "two seconds were given, and more than one is over"


def test_nothing_of_the_display_stays_and_what_comes_after_is_said_too(
    screens: tuple[list[str], list[str]],
) -> None:
    _, after = screens
    assert not [line for line in after if "0/4 done" in line or line.startswith("trial-00")]
    assert "after it" in after
