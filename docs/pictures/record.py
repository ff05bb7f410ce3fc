"""Records `session.jsonl`: a sweep launched in one terminal, killed from another, and resumed.

uv run docs/pictures/record.py     # needs tmux and git; in a clone of what is committed; two minutes

Two terminals of tmux are looked at ten times a second. The recording has a line for each moment at which
something has changed: the seconds, the terminal, and each changed row as it is there, colours included.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
RECORDING = Path(__file__).with_name("session.jsonl")
COLUMNS, ROWS = 80, {"sweep": 22, "other": 3}
LAUNCH = "uv run scripts/launch_sweep.py night --trials 12 --max-epochs 9"
RESUME = "uv run scripts/resume_sweep.py night"
_EVERY_S = 0.1
_PATIENCE_S = 300.0


class Recorder:
    """Two terminals, each with a shell in the clone, and what is seen of them.

    Args:
        clone: the folder that the shells are in.
        socket: of a tmux server of our own.
    """

    def __init__(self, clone: Path, socket: Path) -> None:
        self._clone, self._socket = clone, socket
        self._rows = {name: [""] * rows for name, rows in ROWS.items()}
        self._began = time.monotonic()
        self.seen: list[tuple[float, str, dict[int, str]]] = []
        for name, rows in ROWS.items():
            size = ["-x", str(COLUMNS), "-y", str(rows)]
            shell = "env PS1='$ ' bash --norc --noprofile"
            self.tmux("new-session", "-d", "-s", name, *size, "-c", str(clone), shell)

    def tmux(self, *words: str) -> str:
        """Tell tmux something."""
        command = ["tmux", "-S", str(self._socket), "-f", os.devnull, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def type(self, name: str, line: str) -> None:
        """Type a line into a terminal, as slowly as it can be read."""
        for letter in line:
            self.tmux("send-keys", "-t", name, "-l", letter)
            self.look()
        self.tmux("send-keys", "-t", name, "Enter")

    def until(self, name: str, there: Callable[[str], bool], and_s: float = 0.0) -> None:
        """Look on until a terminal shows something, and a little longer."""
        deadline = time.monotonic() + _PATIENCE_S
        while not there("\n".join(self._rows[name])):
            assert time.monotonic() < deadline, "\n".join(self._rows[name])
            self.look()
        end = time.monotonic() + and_s
        while time.monotonic() < end:
            self.look()

    def look(self) -> None:
        """Take down what has changed in both terminals."""
        time.sleep(_EVERY_S)
        for name, before in self._rows.items():
            shown = self.tmux("capture-pane", "-e", "-p", "-t", name)
            rows = [row.rstrip() for row in shown.splitlines()]
            rows += [""] * (ROWS[name] - len(rows))
            changed = {place: row for place, row in enumerate(rows) if row != before[place]}
            if changed:
                self.seen.append((round(time.monotonic() - self._began, 2), name, changed))
                self._rows[name] = rows

    def sweeping(self, name: str) -> list[int]:
        """The ids of the processes that a terminal runs a sweep in: uv's and Python's."""
        shell = psutil.Process(int(self.tmux("list-panes", "-t", name, "-F", "#{pane_pid}")))
        return [
            each.pid
            for each in shell.children(recursive=True)
            if "launch_sweep.py" in " ".join(each.cmdline())
        ]


def main() -> None:
    """Clone, record and write the recording."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "cifar-sweep"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        # This project's environment, with the clone's code: nothing is installed.
        os.environ |= {"UV_PROJECT_ENVIRONMENT": sys.prefix, "UV_NO_SYNC": "1", "PYTHONPATH": str(clone)}
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        recorder = Recorder(clone, Path(folder) / "tmux")
        try:
            _play(recorder)
        finally:
            recorder.tmux("kill-server")
    lines = [json.dumps(moment, ensure_ascii=False, separators=(",", ":")) for moment in recorder.seen]
    RECORDING.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{RECORDING.name}: {len(lines)} moments, {recorder.seen[-1][0]} s")


def _in_the_middle(text: str) -> bool:
    ended = re.findall(r"^trial-\d+ (?:complete|pruned)", text, re.MULTILINE)
    return len(ended) >= 3 and re.search(r"epoch [5-8]/9", text) is not None


def _play(recorder: Recorder) -> None:
    recorder.until("sweep", lambda text: "$" in text)
    recorder.type("sweep", LAUNCH)
    recorder.until("sweep", _in_the_middle)
    recorder.type("other", f"kill -9 {' '.join(map(str, recorder.sweeping('sweep')))}")
    recorder.until("sweep", lambda text: "Killed" in text, and_s=2)
    recorder.type("sweep", "clear")
    recorder.until("sweep", lambda text: text.strip() == "$")
    recorder.type("sweep", RESUME)
    recorder.until("sweep", lambda text: "next, train" in text, and_s=1)


if __name__ == "__main__":
    main()
