"""The sweeps of a folder, each in a few words: state, best, trials, when it ran, size on disk."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from search.config.model import one_line
from search.config.sweep_config import SweepConfig, sweep_names
from search.results.leaderboard import counts
from search.results.size import is_used_up
from search.study.database import STORAGE_ERRORS, database_cause
from search.study.lease import driven_by
from search.study.opening import NoStudyYet, existing_study
from search.study.reading import records_of
from search.study.records import Outcome, TrialRecord, ranked

State = Literal["running", "interrupted", "finished", "not begun", "unreadable"]


@dataclass(frozen=True)
class Listed:
    """A sweep in a list.

    Attributes:
        name: of the sweep.
        state: `interrupted` if a resume would go on; `not begun` if its launch was cut short before it had a
            study.
        bytes: of its folder; checkpoints and a database elsewhere are not among them.
        config: the sweep; None if its file cannot be read.
        records: its trials.
        driver: host and pid of the driver at work.
        error: why it cannot be read.

    Example:
        >>> [night] = list_sweeps(Path("sweeps"))
        >>> night.name, night.state, night.best.key, night.trials
        ('night', 'finished', 'trial-001', {'complete': 2, 'pruned': 1})
    """

    name: str
    state: State
    bytes: int
    config: SweepConfig | None = None
    records: tuple[TrialRecord, ...] = ()
    driver: str | None = None
    error: str | None = None

    @property
    def best(self) -> TrialRecord | None:
        """The best complete trial."""
        return None if self.config is None else next(iter(ranked(self.records, self.config.goal)), None)

    @property
    def trials(self) -> dict[str, int]:
        """How many trials there are of each outcome that occurs."""
        return {str(outcome): count for outcome, count in counts(self.records).items() if count}

    @property
    def began_ms(self) -> int | None:
        """Unix time at which its first trial started."""
        return min((record.started_ms for record in self.records if record.started_ms), default=None)

    @property
    def changed_ms(self) -> int | None:
        """Unix time of the last epoch or end of a trial."""
        ends = [record.ended_ms for record in self.records if record.ended_ms is not None]
        epochs = [record.epochs[-1].timestamp_ms for record in self.records if record.epochs]
        return max([*ends, *epochs], default=None)

    def to_json(self) -> dict[str, Any]:
        """The sweep as plain JSON; every key is always there."""
        config, best = self.config, self.best
        return {
            "sweep": self.name,
            "state": self.state,
            "driver": self.driver,
            "metric": None if config is None else config.metric,
            "direction": None if config is None else config.direction,
            "best": None if best is None else {"trial": best.number, "value": best.value},
            "trials": self.trials,
            "most_trials": None if config is None else config.most_trials,
            "began": _moment(self.began_ms),
            "changed": _moment(self.changed_ms),
            "bytes": self.bytes,
            "error": self.error,
        }


def list_sweeps(sweeps_dir: Path) -> list[Listed]:
    """The sweeps of a folder, those first that have changed last; nothing is written.

    One that cannot be read is in the list too, with the reason.
    """
    sweeps = [_listed(name, sweeps_dir) for name in sweep_names(sweeps_dir)]
    return sorted(sweeps, key=lambda sweep: (-(sweep.changed_ms or 0), sweep.name))


def _listed(name: str, sweeps_dir: Path) -> Listed:
    size, config = _bytes(sweeps_dir / name), None
    try:
        config = SweepConfig.load(name, sweeps_dir)
        with existing_study(config, one_moment=True) as (storage, study):
            records = records_of(study)
            driver = driven_by(storage.engine, config.name)
    except NoStudyYet:
        return Listed(name, "not begun", size, config)
    except Exception as error:  # a sweep that is damaged, in whatever way, hides no other one
        why = database_cause(error) if isinstance(error, STORAGE_ERRORS) else one_line(error)
        return Listed(name, "unreadable", size, config, error=why)
    return Listed(name, _state(config, records, driver), size, config, tuple(records), driver)


def _state(config: SweepConfig, records: list[TrialRecord], driver: str | None) -> State:
    if driver is not None:
        return "running"
    unended = any(record.outcome in (Outcome.RUNNING, Outcome.FROZEN) for record in records)
    return "interrupted" if unended or not is_used_up(config, records) else "finished"


def _bytes(folder: Path) -> int:
    """Of the files below a folder; one that goes away while they are counted is none."""
    total = 0
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                total += os.lstat(Path(place) / file).st_size
            except FileNotFoundError:
                continue
    return total


def _moment(ms: int | None) -> str | None:
    return None if ms is None else datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat()
