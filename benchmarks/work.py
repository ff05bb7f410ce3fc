"""The one piece of work that every sweep tool is given, and how its time is taken.

Real CIFAR-10 images, depth 1-3, width 16/32/48, lr log-uniform, SGD with momentum, batches of 256. Every
peer runs in processes of its own and notes when each trial begins and when each epoch ends, with the same
`Stopwatch`, so that a sweep's time means the same for all: from its first trial's beginning to its last
epoch's end. Imports before the first trial do not count; a worker started for each trial does.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from cifar_cnn.config import DataConfig, TrainConfig

LR = (1e-3, 1.0)
DEPTHS = (1, 3)
WIDTHS = (16, 32, 48)
FIXED: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.9, "batch_size": 256}

PARAMETERS: dict[str, BaseDistribution] = {
    "depth": IntDistribution(*DEPTHS),
    "width": CategoricalDistribution(WIDTHS),
    "lr": FloatDistribution(*LR, log=True),
}


@dataclass(frozen=True)
class Work:
    """How much of it; travels to the peers as JSON."""

    data_dir: str  # train/<class>/ and test/<class>/ with images
    folder: str  # where a peer may write; its trials' times are kept in `times` in there
    trials: int = 16
    epochs: int = 6  # of a trial that is not pruned
    slots: int = 2  # trials at a time, one core each
    train_size: int = 8000
    val_size: int = 2000
    seed: int = 0

    @property
    def data(self) -> DataConfig:
        """The images."""
        return DataConfig(
            dataset="folder",
            data_dir=Path(self.data_dir),
            train_size=self.train_size,
            val_size=self.val_size,
        )

    @property
    def times(self) -> Path:
        """A file for each trial."""
        return Path(self.folder) / "times"

    def dumps(self) -> str:
        """As one argument of a command; without spaces, at which Syne Tune would split it."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Work:
        """From that argument."""
        return cls(**json.loads(text))

    def config(self, params: Mapping[str, Any]) -> TrainConfig:
        """A trial's configuration: its network is the same for every peer."""
        return TrainConfig(**{**FIXED, **params}, max_epochs=self.epochs, seed=self.seed)


@dataclass(frozen=True)
class TrialTimes:
    """What a trial did and when, in Unix seconds."""

    params: dict[str, Any]
    began: float
    epoch_ends: list[float]

    @property
    def ended(self) -> float:
        """When its last epoch ended."""
        return self.epoch_ends[-1] if self.epoch_ends else self.began


class Stopwatch:
    """Notes a trial's times in a file of its own; may be used in any process."""

    def __init__(self, work: Work, params: Mapping[str, Any]) -> None:
        self._times = TrialTimes(dict(params), time.time(), [])
        work.times.mkdir(parents=True, exist_ok=True)
        self._file = work.times / f"{uuid.uuid4().hex}.json"
        self._write()

    def epoch_ended(self) -> None:
        """Called right after an epoch's validation."""
        self._times.epoch_ends.append(time.time())
        self._write()

    def _write(self) -> None:
        self._file.write_text(json.dumps(asdict(self._times)))


@dataclass(frozen=True)
class SweepTimes:
    """What a peer's sweep came to."""

    trials: list[TrialTimes]  # in the order in which they began

    @classmethod
    def of(cls, work: Work) -> SweepTimes:
        """Read what a peer's trials have noted."""
        trials = [TrialTimes(**json.loads(file.read_text())) for file in work.times.glob("*.json")]
        return cls(sorted(trials, key=lambda trial: trial.began))

    @property
    def seconds(self) -> float:
        """From the first trial's beginning to the last epoch's end."""
        return max(trial.ended for trial in self.trials) - self.trials[0].began

    @property
    def epochs(self) -> int:
        """Epochs trained in all."""
        return sum(len(trial.epoch_ends) for trial in self.trials)

    def efficiency(self, slots: int) -> float:
        """Share of the slots' time in which a trial ran."""
        return sum(trial.ended - trial.began for trial in self.trials) / (slots * self.seconds)


def replay(trials: Iterable[TrialTimes]) -> list[tuple[dict[str, Any], int]]:
    """Parameters and epochs of trials, for whoever is to do the same again."""
    return [(trial.params, len(trial.epoch_ends)) for trial in trials if trial.epoch_ends]
