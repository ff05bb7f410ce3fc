"""The objective of a sweep: trains a `CifarCNN` with the sampled parameters, epoch by epoch.

A sweep's driver imports this module too, and trains nothing: torch and Lightning, ten seconds of
imports, are left to the workers.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cifar_cnn.config import DataConfig, TrainConfig

if TYPE_CHECKING:
    from cifar_cnn.train import EpochReport


class TrialContext(Protocol):
    """What a sweep tells its objective about a trial, and hears from it."""

    @property
    def number(self) -> int:
        """Number of the trial in its sweep."""

    @property
    def seed(self) -> int:
        """Seed of the training."""

    @property
    def max_epochs(self) -> int:
        """Epochs of an unpruned trial."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """`data`: a `DataConfig` as JSON, but for the folder that the images lie in."""

    @property
    def paths(self) -> Mapping[str, str]:
        """`data`: that folder."""

    @property
    def cpus(self) -> float:
        """CPU cores given to the trial."""

    @property
    def gpus(self) -> float:
        """GPUs given to the trial."""

    @property
    def checkpoint(self) -> Path | None:
        """A folder that an earlier attempt at this trial reported, to resume from."""

    @property
    def scratch(self) -> Path:
        """An empty local folder for this attempt; the caller removes it."""

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        """Reports a finished epoch, from 1. Copies the checkpoint folder. May raise to end the trial."""


def train_trial(params: Mapping[str, Any], context: TrialContext) -> None:
    """Trains one trial and reports each epoch with its checkpoint.

    A trial that has a checkpoint goes on after its epoch and reports the epochs that follow.

    Args:
        params: fields of `TrainConfig`, sampled and fixed by the search space.
        context: the rest, and whom to report to.

    Raises:
        pydantic.ValidationError: an unknown name or a value out of range.
        Exception: as `train_reporting`.
    """
    train_reporting(TrainConfig(**params, max_epochs=context.max_epochs, seed=context.seed), context)


def train_reporting(
    config: TrainConfig, context: TrialContext, train_on: Literal["train", "train+val"] = "train"
) -> None:
    """Trains one configuration on a trial's images and resources, and reports it as the trial.

    Args:
        config: the training, whole.
        context: its images, resources and checkpoint, and whom to report to.
        train_on: the splits to learn from.

    Raises:
        Exception: as `fit`, and whatever `context.report` raises.
    """
    from cifar_cnn.train import fit

    def report(epoch: EpochReport) -> None:
        folder = context.scratch / "checkpoint"
        epoch.save(folder)
        context.report(epoch.epoch, epoch.metrics, folder)
        shutil.rmtree(folder)

    fit(
        config,
        DataConfig(**context.settings["data"], data_dir=Path(context.paths["data"])),
        on_epoch=report,
        checkpoint=context.checkpoint,
        train_on=train_on,
        threads=max(1, int(context.cpus)),
        accelerator="auto" if context.gpus > 0 else "cpu",
    )
