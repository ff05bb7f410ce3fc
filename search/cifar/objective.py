"""The training function of a sweep of CNNs: Lightning trains a `CifarModule` on an `ImageDataModule`.

A sweep's driver imports this module too, and trains nothing: torch and Lightning, ten seconds of
imports, are left to the workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cifar_cnn.config import DataConfig, TrainConfig
from search.objective.context import TrialContext


def train_trial(params: Mapping[str, Any], context: TrialContext) -> None:
    """Train one trial and report each epoch with its checkpoint.

    Args:
        params: fields of `TrainConfig`, sampled and fixed by the search space.
        context: the rest, and whom to report to: its settings have `data`, a `DataConfig` as JSON but for the
            folder that the images lie in, which is in its paths.

    Raises:
        pydantic.ValidationError: an unknown name or a value out of range.
        Exception: as `train_reporting`.
    """
    train_reporting(TrainConfig(**params, max_epochs=context.max_epochs, seed=context.seed), context)


def train_reporting(
    config: TrainConfig, context: TrialContext, train_on: Literal["train", "train+val"] = "train"
) -> None:
    """Train one configuration on a trial's images and resources, and report it as the trial.

    On a CPU in fp32 a training is determined by its configuration and images, to the bit, however often it is
    resumed.

    Args:
        config: the training, whole.
        context: its images, resources and checkpoint, and whom to report to.
        train_on: the splits to learn from; 'train+val' is both together, without validation.

    Raises:
        DataError: as `prepare_data`.
        CheckpointError: the checkpoint is of another version or of another training.
        NonFiniteLoss: the training diverged. The epoch in which it did is neither reported nor saved.
        Exception: whatever `context.report` raises.
    """
    from cifar_cnn.augment import Augmentation
    from cifar_cnn.data import ImageDataModule
    from cifar_cnn.device import training_device
    from cifar_cnn.module import CifarModule
    from cifar_cnn.precision import lightning_precision
    from search.training.fitting import train
    from search.training.manners import left_as_found, seed_everything

    device = training_device("auto" if context.gpus > 0 else "cpu")
    with left_as_found(context.cpus, context.gpus):
        seed_everything("weights", config.seed)
        images = ImageDataModule(
            DataConfig(**context.settings["data"], data_dir=Path(context.paths["data"])),
            batch_size=config.batch_size,
            seed=config.seed,
            train_on=train_on,
            augmentation=Augmentation.of(config),
            one_size=config.captured,
        )
        module = CifarModule(config, images.info.num_classes)
        options: dict[str, Any] = {"precision": lightning_precision(config.precision, device)}
        # cuDNN tries its kernels on each new size of batches, of which there are two at most.
        options["benchmark"] = device.type == "cuda"
        if train_on == "train+val":
            options["limit_val_batches"] = 0
        try:
            train(
                context,
                module,
                images,
                config.max_epochs,
                callbacks=[],
                trainer=options,
                validated=train_on == "train",
                accelerator=device.type,
            )
        finally:
            images.release()
