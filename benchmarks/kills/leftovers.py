"""What the drivers of a sweep leave behind: processes, and files in the folders that they write to."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_MARK = "SWEEP_KILLS_MARK"
_LOOKS_EVERY_S = 0.25
_LOADER_WORKER = "pt_data_worker"  # what torch calls the process
# Two small helpers of Ray outlive a killed driver by a minute and then go by themselves.
_LINGERING = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
_SHARED_MEMORY = Path("/dev/shm")


class Watch(threading.Thread):
    """Looks at the processes of a sweep's drivers several times a second, from outside.

    Args:
        folder: of the sweep; drivers run in one folder below it, and have another for temporary files.

    Attributes:
        environment: what drivers are started with; their processes are told by it.
        works_in: the drivers' current folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(name="watch", daemon=True)
        self.works_in, self._temporary = folder / "cwd", folder / "tmp"
        for each in (self.works_in, self._temporary):
            each.mkdir()
        # Ray renames its workers, and would write over what tells them.
        mark = uuid.uuid4().hex
        self.environment = {_MARK: mark, "SPT_NOENV": "1", "TMPDIR": str(self._temporary)}
        self._mark = mark
        self._stopped = threading.Event()
        self._ray_folders: set[Path] = set()
        self._orphaned: dict[psutil.Process, tuple[float, float]] = {}  # first and last seen
        self._seen: set[int] = set()  # ids of processes

    def run(self) -> None:
        """Look until `processes_left` is asked for."""
        while not self._stopped.wait(_LOOKS_EVERY_S):
            self._look()

    def orphans(self) -> list[float]:
        """How long each loader's worker went on whose trial's process was gone, in seconds."""
        return [last - first + _LOOKS_EVERY_S for first, last in self._orphaned.values()]

    def processes_left(self, grace_s: float = 15.0) -> list[str]:
        """Look on until all have ended; end those that have not by then, and tell what they are.

        Args:
            grace_s: how long that may take.
        """
        self._stopped.set()
        self.join()
        until = time.monotonic() + grace_s
        while (left := self._look()) and time.monotonic() < until:
            time.sleep(_LOOKS_EVERY_S)
        for process in self._ours():
            with contextlib.suppress(psutil.Error):
                process.kill()
        return left

    def files_left(self) -> list[str]:
        """What lies where drivers and trials write, when none is running."""
        places = [*self.works_in.iterdir(), *self._temporary.iterdir(), *self._ray_folders]
        left = [str(place) for place in places if place.exists()]
        return left + sorted(_shared(self._seen))

    def _look(self) -> list[str]:
        """Note orphans and Ray's folders; the processes that are there and should go."""
        now, found, there = time.monotonic(), {}, []
        for process in self._ours():
            with contextlib.suppress(psutil.Error):
                found[process.pid] = process, process.ppid(), process.name(), " ".join(process.cmdline())
        self._seen |= found.keys()
        for process, parent, name, command in found.values():
            self._ray_folders |= {Path(folder) for folder in re.findall(r"/tmp/ray-\w+", command)}
            if not command.startswith(_LINGERING):
                there.append(f"{name}: {command[:100]}")
            if name == _LOADER_WORKER and parent not in found:
                first, _ = self._orphaned.get(process, (now, now))
                self._orphaned[process] = first, now
        return there

    def _ours(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark:
                    yield process


def _shared(processes: set[int]) -> set[str]:
    """Tensors in shared memory under the name of one of these processes, which is dead."""
    names = [each.name for each in _SHARED_MEMORY.glob("torch_*")]
    of = {name: int(name.split("_")[1]) for name in names}
    return {name for name, process in of.items() if process in processes and not psutil.pid_exists(process)}
