"""Scripts run as a person runs them, in processes that can be killed, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GRACE_S = 30.0
PATIENCE_S = 240.0
# Two small helpers of Ray outlive a killed driver by a minute (measured) and then go; `Script` ends them.
_LINGERING = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
_MARK = "SWEEP_TEST_MARK"


class Script:
    """A script in a session of its own; a context manager that leaves no process and no Ray folder behind.

    Args:
        arguments: the script's name (below scripts/, or an absolute path) and its arguments.
        cwd: where it runs.
        variables: of the environment, beside this process's own.
    """

    def __init__(self, *arguments: str | Path, cwd: Path, **variables: str) -> None:
        script, *rest = map(str, arguments)
        self._mark = uuid.uuid4().hex
        self.temporary = cwd / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._out, self._err = cwd / f"{self._mark}.out", cwd / f"{self._mark}.err"
        self.ray_folders: set[Path] = set()  # of a Ray of its own, as far as `descendants` has seen them
        environment = {
            **os.environ,
            "RAY_worker_niceness": "0",
            "SPT_NOENV": "1",  # Ray renames its workers and would write over what tells them
            "TMPDIR": str(self.temporary),
            _MARK: self._mark,
            **variables,
        }
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                [sys.executable, ROOT / "scripts" / script, *rest],
                cwd=cwd,
                env=environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self.descendants()
        for pid in [self._process.pid, *self.descendants()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        for folder in self.ray_folders:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """The exit code."""
        return self._process.wait(seconds)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the script does; it must not end before."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self._process.poll() is None, f"ended too early: {self.stdout}\n{self.stderr}"
            assert time.monotonic() < deadline, f"nothing came of it: {self.stdout}\n{self.stderr}"
            time.sleep(0.02)

    def kill(self) -> None:
        """`kill -9`."""
        self.descendants()
        self._process.kill()
        self._process.wait()

    def press_ctrl_c(self) -> None:
        """As a terminal does it: everything in the foreground gets the signal."""
        os.killpg(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """SIGTERM to the driver."""
        self._process.terminate()

    def preempt(self) -> None:
        """As Slurm does it before a job's time is over: every process of a job's step gets the signal."""
        os.killpg(self._process.pid, signal.SIGUSR1)

    def descendants(self) -> list[int]:
        """The processes that were started from it and live, itself not among them."""
        mark = f"{_MARK}={self._mark}".encode()
        found = []
        for pid, environment, command in _processes():
            if mark in environment and pid != self._process.pid:
                found.append(pid)
                self.ray_folders |= {Path(folder) for folder in re.findall(r"/tmp/ray-\w+", command)}
        return found

    def wait_for_descendants(self) -> None:
        """All that it started ends within the grace: workers, Ray's scheduler and its store."""
        deadline = time.monotonic() + GRACE_S
        while left := [c for pid in self.descendants() if (c := _command(pid)) and c not in _LINGERING]:
            assert time.monotonic() < deadline, f"left running: {left}"
            time.sleep(0.1)


def _processes() -> Iterator[tuple[int, bytes, str]]:
    """Id, environment and command line of every process that can be read and is no zombie."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), (folder / "environ").read_bytes(), _command(int(folder.name))


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return words.strip()
    return ""
