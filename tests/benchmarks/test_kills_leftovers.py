"""The kill benchmark's eye for what is left: processes, orphaned loader workers, files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.kills.leftovers import Watch

A_LOADERS_WORKER = """
import time
open("/proc/self/comm", "w").write("pt_data_worker")
print(flush=True)
time.sleep(60)
"""


def loaders_worker(watch: Watch) -> subprocess.Popen[bytes]:
    """A process that is called as a loader's worker, of the sweep that is watched."""
    environment = {**os.environ, **watch.environment}
    return subprocess.Popen([sys.executable, "-c", A_LOADERS_WORKER], env=environment, stdout=subprocess.PIPE)


def test_what_is_left_is_seen_and_its_processes_are_ended(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.start()
    with loaders_worker(watch) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        (watch.works_in / "lightning_logs").mkdir()
        (left,) = watch.processes_left(grace_s=0.0)
        assert left.startswith("pt_data_worker")
        assert worker.wait() == -signal.SIGKILL
    assert len(watch.orphans()) == 1, "its parent is no process of the sweep"
    assert watch.files_left() == [str(watch.works_in / "lightning_logs")]


def test_where_nothing_is_left_nothing_is_seen(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.start()
    with subprocess.Popen([sys.executable, "-c", ""], env={**os.environ, **watch.environment}):
        pass
    assert (watch.processes_left(), watch.files_left(), watch.orphans()) == ([], [], [])


def test_shared_tensors_of_dead_loader_workers_are_left_and_others_are_not_ours(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.start()
    with loaders_worker(watch) as worker, subprocess.Popen([sys.executable, "-c", ""]) as another:
        another.wait()
        shared = [Path("/dev/shm", f"torch_{each.pid}_{tmp_path.name}") for each in (worker, another)]
        for file in shared:
            file.touch()
        try:
            watch.processes_left(grace_s=0.0)
            worker.wait()
            assert watch.files_left() == [shared[0].name]
        finally:
            for file in shared:
                file.unlink()
