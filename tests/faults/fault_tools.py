"""Injecting faults, and counting what they cost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sweep_fixtures
from optuna.trial import TrialState
from processes import Script
from scripted import log_lines
from sweep_checks import check_study, check_view, records_in
from sweep_fixtures import scripted_sweep

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.results.summary import summarise
from search.study.records import TrialRecord
from search.tracking.repair.view_repair import Repairs, sync_view
from search.tracking.store import TrackingStore

FAULTS = Path(__file__).parent
PYTHONPATH = f"{Path(sweep_fixtures.__file__).parent}:{FAULTS}"


def logged_sweep(folder: Path, tracking_uri: str, **fields: Any) -> SweepConfig:
    """A scripted sweep below `folder` that writes down each epoch as it begins; saved, to be resumed."""
    settings = {"log": str(folder / "log"), "epoch_s": 0.2, **fields.pop("settings", {})}
    config = scripted_sweep(
        sweeps_dir=folder / "sweeps", tracking_uri=tracking_uri, settings=settings, **fields
    )
    config.save()
    return config


def driver(
    config: SweepConfig,
    folder: Path,
    *,
    constants: dict[str, float] | None = None,
    options: Sequence[str] = (),
    **env: str,
) -> Script:
    """A driver in a process of its own: `resume_sweep.py`, with constants of the project changed if asked."""
    script = (
        (FAULTS / "patched_script.py", json.dumps(constants), "resume_sweep")
        if constants
        else ("resume_sweep.py",)
    )
    variables = {"PYTHONPATH": PYTHONPATH, "RAY_worker_niceness": "0", **env}
    places = ("--sweeps-dir", config.sweeps_dir)
    return Script(*script, config.name, *places, *options, cwd=folder, **variables)


class Toll:
    """What faults cost a sweep: which epochs began again, beside what the study held at each fault."""

    def __init__(self, config: SweepConfig) -> None:
        self._config = config
        self._log = Path(config.settings["log"])
        self._faults: list[tuple[int, set[tuple[int, int]]]] = []

    @property
    def begun(self) -> list[tuple[int, int]]:
        """Trial and epoch of each training of an epoch, in the order of time."""
        return [(line["trial"], line["epoch"]) for line in log_lines(self._log)]

    @property
    def finished(self) -> set[tuple[int, int]]:
        """The epochs that the study holds."""
        with contextlib.suppress(UserError):
            return {(r.number, e.epoch) for r in records_in(self._config) for e in r.epochs}
        return set()

    def note_fault(self) -> None:
        """To be called when a driver has just died."""
        self._faults.append((len(self.begun), self.finished))

    def check(self, trials: int, in_flight: int, status: str = "FINISHED") -> list[TrialRecord]:
        """The sweep is whole, its view exact, no finished epoch trained again, few others twice.

        Args:
            trials: that the sweep must have.
            in_flight: the most epochs that may have been trained twice: one for each trial run at a fault.
            status: of the sweep's run in MLflow.
        """
        records = check_study(self._config, trials)
        check_view(self._config, status)
        assert repairs(self._config).none
        again = {record.number for record in records if _restarted(record, self._config)}
        begun = [(trial, epoch) for trial, epoch in self.begun if trial not in again]
        for lines, known in self._faults:
            assert not [epoch for epoch in begun[lines:] if epoch in known], "a finished epoch began again"
        twice = sum(times - 1 for times in Counter(begun).values())
        assert twice <= in_flight, f"{twice} epochs were trained twice, where {in_flight} may"
        failed = {record.number for record in records if record.state is TrialState.FAIL}
        begun = [(trial, epoch) for trial, epoch in begun if trial not in failed]
        assert set(begun) <= self.finished, "what was trained is known"
        return records


def _restarted(record: TrialRecord, config: SweepConfig) -> bool:
    """Whether a trial was thawed without its checkpoint, at the price of all its epochs."""
    return any(each.cost == (each.until or config.max_epochs) for each in record.hand_outs[1:])


def repairs(config: SweepConfig, tracking_uri: str | None = None) -> Repairs:
    """What a fresh look at MLflow finds to repair."""
    summary = summarise(config.name, config.sweeps_dir)
    store = TrackingStore(tracking_uri or config.tracking_uri, config.experiment)
    return sync_view(store, config, summary.sweep_id, summary.records)


class After:
    """An observer that does something once, when so many epochs have been reported, of one trial perhaps."""

    def __init__(self, epochs: int, action: Callable[[], None], *, trial: int | None = None) -> None:
        self._epochs_left, self._action, self._trial = epochs, action, trial
        self.done = False

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Nothing: it may be opened again, after the storage was away."""

    def trial_changed(self, record: TrialRecord) -> None:
        self._epochs_left -= bool(record.epochs) and self._trial in (None, record.number)
        if self._epochs_left <= 0 and not self.done:
            self.done = True
            self._action()


@contextlib.contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own, as small as that; for root only."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    """`ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this process may mount file systems: root, outside of a locked-down container."""
    try:
        with tmpfs(folder / "probe", "64k"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


class Lock:
    """Another process that holds a SQLite file's write lock for so long."""

    def __init__(self, file: Path, seconds: float) -> None:
        code = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None); "
            "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); time.sleep(float(sys.argv[2]))"
        )
        command = [sys.executable, "-c", code, str(file), str(seconds)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def release(self) -> None:
        self._process.kill()
        self._process.communicate()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
