"""`fit`: one training run from configuration to trained model, resumable after every epoch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]

from cifar_cnn.checkpoint import (
    FILE_NAME,
    LoadedModel,
    Provenance,
    checkpoint_file,
    load_checkpoint,
    load_weights,
    read_checkpoint,
)
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.data import DataInfo, TrainOn, WholeEpochs
from cifar_cnn.device import Accelerator, training_device
from cifar_cnn.lightning_manners import honest_interrupts, quiet, torch_state
from cifar_cnn.model import CifarCNN
from cifar_cnn.module import CifarModule, Metrics
from cifar_cnn.seeds import derive_seed

__all__ = ["EpochReport", "FitResult", "LoadedModel", "fit", "load_checkpoint"]


@dataclass(frozen=True)
class EpochReport:
    """A finished epoch. Valid while `on_epoch` runs: afterwards `save` would save a later state.

    Attributes:
        epoch: number of the epoch, from 1.
        metrics: train_loss, train_acc, val_loss, val_acc (accuracies 0 to 1), images_per_s, epoch_s; without
            the val_ ones when there is no validation split.
        save: writes a whole Lightning checkpoint `model.ckpt` into a folder and returns its path.

    Example:
        >>> def tell(report: EpochReport) -> None:
        ...     print(report.epoch, sorted(report.metrics)[-2:], report.save(Path("trained")))
        >>> config = TrainConfig(depth=1, width=4, max_epochs=1)
        >>> result = fit(config, DataConfig(train_size=100), on_epoch=tell)
        1 ['val_acc', 'val_loss'] trained/model.ckpt
    """

    epoch: int
    metrics: Metrics
    save: Callable[[Path], Path]


@dataclass(frozen=True)
class FitResult:
    """A finished run.

    Attributes:
        history: metrics of every epoch, those before a resume included.
        metrics: those of the last epoch.
        model: the trained network, on the CPU and in eval mode.
        data_info: what it was trained on.

    Example:
        >>> result = fit(TrainConfig(depth=1, width=4, max_epochs=2), DataConfig(train_size=100, val_size=50))
        >>> len(result.history), result.metrics == result.history[-1]
        (2, True)
    """

    history: list[Metrics]
    metrics: Metrics
    model: CifarCNN
    data_info: DataInfo

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class, by label."""
        return self.data_info.class_names


def fit(
    config: TrainConfig,
    data: DataConfig,
    *,
    on_epoch: Callable[[EpochReport], None] | None = None,
    checkpoint: Path | None = None,
    train_on: TrainOn = "train",
    threads: int | None = None,
    accelerator: Accelerator = "auto",
) -> FitResult:
    """Trains one model, from any thread. It returns when all epochs are done; any other end is an exception.

    On a CPU in fp32 a run is determined by its arguments, to the bit, however often it is resumed. It leaves
    no state behind: threads and random generators are put back, and no file is written but by `save`.

    Args:
        config: how to train.
        data: on what.
        on_epoch: called after every epoch. Whatever it raises ends the run and comes out unchanged.
        checkpoint: a `model.ckpt`, or the folder that holds it; training continues after its epoch. After the
            last one nothing is trained.
        train_on: 'train+val' trains on both splits together, without validation.
        threads: torch's CPU threads; None leaves them as they are.
        accelerator: 'auto' trains on a GPU if torch sees one; 'cpu' leaves it to others.

    Raises:
        DataError: as `prepare_data`.
        CheckpointError: the checkpoint is missing, damaged, of another version or of another run.
        NonFiniteLoss: the run diverged. The epoch in which it did is neither reported nor saved.
    """
    device = training_device(accelerator)
    with torch_state(threads, derive_seed("weights", config.seed), device):
        datamodule = WholeEpochs(data, config.batch_size, config.seed, train_on, config.augmentation)
        provenance = Provenance(config, data, datamodule.info, train_on)
        module = CifarModule(config, datamodule.info.num_classes)
        if checkpoint is not None:
            loaded = read_checkpoint(checkpoint)
            Provenance.of(loaded).require_same_run(provenance)
            load_weights(module.model, loaded)  # Lightning does it again, but fails with a torch error
        with quiet(), honest_interrupts():
            trainer = _trainer(config, device, train_on, _EpochEnd(provenance, on_epoch))
            resume_from = None if checkpoint is None else checkpoint_file(checkpoint)
            try:
                trainer.fit(module, datamodule=datamodule, ckpt_path=resume_from, weights_only=True)
            finally:
                datamodule.release()
    return FitResult(
        history=module.history,
        metrics=module.history[-1],
        model=module.model.cpu().eval(),
        data_info=datamodule.info,
    )


def _trainer(
    config: TrainConfig, device: torch.device, train_on: TrainOn, callback: pl.Callback
) -> pl.Trainer:
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=config.max_epochs,
        callbacks=[callback],
        # A worker inside a Slurm job is no Slurm task: without this Lightning checks ranks and requeues.
        plugins=[LightningEnvironment()],
        limit_val_batches=0 if train_on == "train+val" else 1.0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _EpochEnd(pl.Callback):
    """Measures and reports each epoch at the point where a checkpoint resumes with the next one."""

    def __init__(self, provenance: Provenance, on_epoch: Callable[[EpochReport], None] | None) -> None:
        self._provenance = provenance
        self._on_epoch = on_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, CifarModule)
        metrics = module.finish_epoch()

        def save(folder: Path) -> Path:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / FILE_NAME
            trainer.save_checkpoint(path, weights_only=False)  # writes elsewhere first, then renames
            return path

        if self._on_epoch is not None:
            self._on_epoch(EpochReport(trainer.current_epoch + 1, dict(metrics), save))

    def on_save_checkpoint(
        self, trainer: pl.Trainer, module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._provenance.store(checkpoint)
