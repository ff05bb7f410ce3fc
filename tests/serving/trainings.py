"""A CNN trained as a sweep trains one, without a sweep: for tests of what training makes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from cifar_cnn.checkpoint import FILE_NAME, LoadedModel, load_checkpoint
from cifar_cnn.config import DataConfig, TrainConfig
from search.cifar.objective import train_reporting
from search.objective.context import Steps, TrialContext


@dataclass(frozen=True)
class EpochReport:
    """A finished epoch, and a folder that holds its checkpoint while it is reported."""

    epoch: int
    metrics: Mapping[str, float]
    checkpoint: Path

    def save(self, folder: Path) -> Path:
        """Keep the checkpoint."""
        shutil.copytree(self.checkpoint, folder, dirs_exist_ok=True)
        return folder / FILE_NAME


@dataclass(frozen=True)
class Trained:
    """A finished training: the metrics of all epochs, those before a resume included, and its model."""

    history: list[dict[str, float]]
    loaded: LoadedModel

    @property
    def metrics(self) -> dict[str, float]:
        """Of the last epoch."""
        return self.history[-1]

    @property
    def model(self) -> Any:
        """The network."""
        return self.loaded.model


def fit(
    config: TrainConfig,
    data: DataConfig,
    *,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    checkpoint: Path | None = None,
    train_on: Literal["train", "train+val"] = "train",
    cpus: float = 1.0,
    gpus: float = 0.0,
) -> Trained:
    """Train to the end, from a checkpoint if one is given."""
    with tempfile.TemporaryDirectory() as folder:
        last = Path(folder, "last")
        if checkpoint is not None:
            shutil.copytree(checkpoint, last)

        def report(epoch: int, metrics: Mapping[str, float], saved: Path | None, _: Steps) -> None:
            assert saved is not None
            context.epochs_done = epoch
            on_epoch(EpochReport(epoch, metrics, saved))
            shutil.copytree(saved, last, dirs_exist_ok=True)

        context = TrialContext(
            max_epochs=config.max_epochs,
            scratch=Path(folder),
            on_report=report,
            seed=config.seed,
            settings={"data": data.model_dump(mode="json", exclude={"data_dir"})},
            paths={"data": str(data.data_dir)},
            cpus=cpus,
            gpus=gpus,
            checkpoint=checkpoint,
            epochs_done=0 if checkpoint is None else len(load_checkpoint(checkpoint).history),
        )
        train_reporting(config, context, train_on)
        with torch.random.fork_rng():
            loaded = load_checkpoint(last)
    return Trained(loaded.history, loaded)
