"""Commands in the background, for who cannot wait for them: begun, found again, followed, stopped.

Each has a folder among the sweeps, with what is needed to find it again: it outlives whoever began it.
"""

from __future__ import annotations

import datetime
import itertools
import json
import shlex
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from scripts.documents.jobs import Job, JobOutput
from search.config.credentials import hide_in
from search.errors import UserError

_FOLDER = ".jobs"
_NOTE, _DOCUMENT, _LOG = "job.json", "document.json", "log.txt"
_LINES = 20  # of a log that are told


class BackgroundJobs:
    """The commands that were begun for a folder of sweeps, by whichever process.

    Args:
        sweeps_dir: the folder.
    """

    def __init__(self, sweeps_dir: Path) -> None:
        self._folder = sweeps_dir.absolute() / _FOLDER
        self._children: list[subprocess.Popen[bytes]] = []  # held: one that is dropped warns that it runs

    def begin(self, script: str, *words: str) -> Job:
        """Begin a command.

        Args:
            script: its file, such as `launch_sweep.py`.
            words: of its command line.
        """
        number, folder = self._new_folder()
        line = [sys.executable, str(Path(__file__).with_name(script)), *words]
        with (folder / _DOCUMENT).open("wb") as out, (folder / _LOG).open("wb") as err:
            child = subprocess.Popen(
                line, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        self._children.append(child)
        note = {
            "command": hide_in(shlex.join(line)),
            "pid": child.pid,
            # With its start a process is told from a later one of the same id.
            "created": psutil.Process(child.pid).create_time(),
        }
        (folder / _NOTE).write_text(json.dumps(note), encoding="utf-8")
        return self._job(number)

    def all(self) -> list[Job]:
        """Every command, the newest first."""
        numbers = [int(note.parent.name) for note in self._folder.glob(f"*/{_NOTE}")]
        return [self._job(number) for number in sorted(numbers, reverse=True)]

    def read(self, number: int) -> JobOutput:
        """How far a command is, or what came of it.

        Raises:
            UserError: there is none of that number.
        """
        job, folder = self._job(number), self._folder / str(number)
        with (folder / _LOG).open(encoding="utf-8", errors="replace") as log:
            newest = [line.rstrip("\n") for line in deque(log, _LINES)]
        # A document is written whole, at the end; a server writes none.
        written = (folder / _DOCUMENT).read_text(encoding="utf-8") if job.state == "ended" else ""
        return JobOutput(job=job, document=json.loads(written) if written else None, log=newest)

    def stop(self, number: int) -> Job:
        """Ask a command to end, as SIGTERM does; asked again, it does not wait for epochs.

        Raises:
            UserError: there is none of that number.
        """
        if (process := _process(self._note(number))) is not None:
            process.terminate()
        return self._job(number)

    def _new_folder(self) -> tuple[int, Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1 + len(list(self._folder.iterdir()))):
            folder = self._folder / str(number)
            try:
                folder.mkdir()
            except FileExistsError:  # another server's, or older ones were removed
                continue
            return number, folder
        raise AssertionError

    def _note(self, number: int) -> dict[str, Any]:
        try:
            note: dict[str, Any] = json.loads(
                (self._folder / str(number) / _NOTE).read_text(encoding="utf-8")
            )
        except FileNotFoundError as error:
            there = ", ".join(str(job.job) for job in self.all()) or "none"
            raise UserError(f"there is no job {number}; there are: {there}") from error
        return note

    def _job(self, number: int) -> Job:
        note = self._note(number)
        runs = _process(note) is not None
        return Job(
            job=number,
            state="running" if runs else "ended",
            command=note["command"],
            pid=note["pid"],
            began=datetime.datetime.fromtimestamp(note["created"], datetime.UTC).isoformat(
                timespec="seconds"
            ),
            follow=f"tail -f {shlex.quote(str(self._folder / str(number) / _LOG))}",
            stop=f"kill {note['pid']}" if runs else None,
        )


def _process(note: dict[str, Any]) -> psutil.Process | None:
    """The process of a command while it runs."""
    try:
        process = psutil.Process(note["pid"])
        runs = process.create_time() == note["created"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if runs else None
