"""The tutorial's commands, in their order, in an empty folder, as its reader would type them."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browsers import free_port
from processes import Script

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
PORT = "8000"  # the tutorial's; the test takes a free one instead
PATIENCE_S = 240.0


@dataclass(frozen=True)
class Command:
    """One line to type, and what the comment beside its block says of it."""

    line: str
    note: str

    @property
    def words(self) -> list[str]:
        """Without `uv run`, which would look for a project in the empty folder."""
        words = shlex.split(self.line)
        return words[2:] if words[:2] == ["uv", "run"] else words


def commands(text: str) -> Iterator[Command]:
    """The lines of commands; a comment stands before `skip`ped blocks, and after the others."""
    blocks = r"(<!-- test: skip -->\n\n)?^```bash\n((?:.+\n)+?)```\n(?:\n<!-- test: (.*) -->)?"
    for skipped, block, note in re.findall(blocks, text, re.MULTILINE):
        for line in block.splitlines():
            yield Command(line.strip(), "skip" if skipped else note or "")


def test_the_notes_are_understood() -> None:
    found = list(commands(TUTORIAL))
    assert [command.note for command in found if command.note] == [
        "skip",
        "interrupted after a second epoch",
        f"left running until http://127.0.0.1:{PORT}/readyz answers",
    ]
    assert len(found) == sum(line.startswith(("uv ", "curl ")) for line in TUTORIAL.splitlines())
    jobs = ("launch_sweep", "resume_sweep", "compare_trials", "retrain_best", "serve_model")
    assert all(any(job in command.line for command in found) for job in jobs)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorial_works(tmp_path: Path) -> None:
    port = str(free_port())
    with contextlib.ExitStack() as running:
        for command in commands(TUTORIAL.replace(PORT, port)):
            if command.note == "skip":
                continue
            if command.note.startswith("interrupted"):
                _interrupted(command, tmp_path)
            elif command.note.startswith("left running"):
                script = running.enter_context(Script(*_script(command), cwd=tmp_path))
                _wait_for(f"http://127.0.0.1:{port}/readyz", script)
            elif command.words[0].startswith("scripts/"):
                with Script(*_script(command), cwd=tmp_path) as script:
                    assert script.wait(PATIENCE_S) == 0, f"{command.line}\n{script.stderr}"
            else:
                words = [sys.executable if word == "python" else word for word in command.words]
                ended = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, text=True)
                if words[0] == "curl":
                    _is_a_zero(ended.stdout)
    written = {file.suffix for file in (tmp_path / "reports" / "figures" / "first").iterdir()}
    assert written >= {".png", ".svg", ".json"}
    assert (tmp_path / "reports" / "first.html").stat().st_size > 1_000_000


def _script(command: Command) -> list[str]:
    name, *rest = command.words
    return [name.removeprefix("scripts/"), *rest]


def _interrupted(command: Command, home: Path) -> None:
    with Script(*_script(command), cwd=home) as script:
        script.until(lambda: any((home / "sweeps" / "first").glob("checkpoints/*/epoch-0002")))
        script.press_ctrl_c()
        assert script.wait() == 130, script.stderr
        assert f"resume it with:  uv run {ROOT / 'scripts'}/resume_sweep.py first" in script.stdout


def _wait_for(url: str, script: Script) -> None:
    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            time.sleep(0.2)
            return False

    script.until(answers)


def _is_a_zero(answer: str) -> None:
    (prediction,) = json.loads(answer)["predictions"]
    probabilities = [each["probability"] for each in prediction["probabilities"]]
    assert len(probabilities) == 10
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-3)
    assert prediction["label"] == "0"
