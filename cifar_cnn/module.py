"""The network as a LightningModule: a batch a step, its metrics once an epoch."""

import math
import time
from typing import Any, TypeAlias

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional

from cifar_cnn.batches import Batch
from cifar_cnn.capturing import capture
from cifar_cnn.checkpoint import Provenance
from cifar_cnn.cnn import CifarCNN
from cifar_cnn.config import TrainConfig
from cifar_cnn.data import ImageDataModule
from cifar_cnn.errors import NonFiniteLoss
from cifar_cnn.model import make_model
from cifar_cnn.optimizers import make_optimizer
from cifar_cnn.precision import resolve_precision
from cifar_cnn.schedule import schedule_factor
from cifar_cnn.whitening import IMAGES as WHITENING_IMAGES

Metrics: TypeAlias = dict[str, float]

CHECKED_EVERY = 16
"""Steps from one look at the loss to the next: a GPU waits for each, and a diverged training is of no use."""


class CifarModule(pl.LightningModule):
    """Trains a `Classifier` on an `ImageDataModule` and measures each epoch.

    Metrics are summed up on the device and logged once an epoch: nothing waits for the device at a step.
    train_loss is the loss that is minimised (with label smoothing), over augmented images; val_loss is plain
    cross-entropy, so that it compares across trials. images_per_s is the speed of training alone.

    Args:
        config: how to train.
        num_classes: number of classes.

    Attributes:
        history: the metrics of every finished epoch, first epoch first; it is saved with a checkpoint.

    Raises:
        NonFiniteLoss: as it trains, if a loss or a weight is NaN or infinite.

    Example:
        >>> from cifar_cnn.config import DataConfig
        >>> from cifar_cnn.data import ImageDataModule
        >>> images = ImageDataModule(DataConfig(train_size=100, val_size=50), batch_size=32, seed=0)
        >>> module = CifarModule(TrainConfig(depth=1, width=4, max_epochs=2), num_classes=10)
        >>> options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        >>> trainer = pl.Trainer(max_epochs=2, accelerator="cpu", enable_model_summary=False, **options)
        >>> trainer.fit(module, datamodule=images)
        >>> len(module.history), sorted(module.history[-1])
        (2, ['images_per_s', 'train_acc', 'train_loss', 'val_acc', 'val_loss'])
    """

    def __init__(self, config: TrainConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        # Channels-last is what bf16 wants, and fp32 on a CPU too: 1.2 to 1.9 times NCHW's images/s.
        self.model = make_model(config, num_classes).to(memory_format=torch.channels_last)
        self.history: list[Metrics] = []

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer, and a learning rate that changes with each step."""
        optimizer = make_optimizer(self.config, self.model)
        steps = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:
            # After the last step torch asks for the next one's.
            return schedule_factor(self.config, min(step, steps - 1), steps)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def setup(self, stage: str) -> None:
        """Computes the filters of a whitening layer from the first training images."""
        if stage == "fit" and isinstance(self.model, CifarCNN):
            images: ImageDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
            self.model.fit_whitening(images.first_images(WHITENING_IMAGES))

    def on_train_start(self) -> None:
        """Records the passes of a step, where the configuration says so."""
        if self.config.captured and self.device.type == "cuda":
            images = next(iter(self.trainer.train_dataloader))[0]  # type: ignore[arg-type]
            capture(self.model, images, resolve_precision(self.config.precision, self.device))

    def on_train_epoch_start(self) -> None:
        """Starts the clock and the tally."""
        self._train = Tally(self.device)
        self._metrics: Metrics = {}
        self._started = time.perf_counter()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch, with label smoothing."""
        images, labels = batch
        logits = self.model(images)
        loss = functional.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self._train.add(loss, logits, labels)
        if batch_idx % CHECKED_EVERY == 0:
            self._require_finite("train_loss", self._train.loss_so_far())
        return loss

    def on_validation_epoch_start(self) -> None:
        """Ends the training part of the epoch; a diverged model is not worth validating."""
        self._val = Tally(self.device)
        if not self.trainer.sanity_checking:
            self._end_training()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts a batch of the validation split."""
        images, labels = batch
        logits = self.model(images)
        self._val.add(functional.cross_entropy(logits, labels), logits, labels)

    def on_validation_epoch_end(self) -> None:
        """Logs val_loss and val_acc."""
        if self.trainer.sanity_checking:
            return
        loss, accuracy = self._val.result()
        self._require_finite("val_loss", loss)
        self._log({"val_loss": loss, "val_acc": accuracy})

    def on_train_epoch_end(self) -> None:
        """Logs the epoch's training, and adds all its metrics to the history."""
        if not self._metrics:  # there was no validation
            self._end_training()
        self._log({"images_per_s": self._speed})
        self.history.append(self._metrics)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lets the history travel with the weights, and how and on what they were trained."""
        checkpoint["history"] = [dict(metrics) for metrics in self.history]
        self._provenance().store(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the history up again.

        Raises:
            CheckpointError: it is of another training, or of another version.
        """
        Provenance.of(checkpoint).require_same_run(self._provenance())
        self.history = checkpoint["history"]

    def _provenance(self) -> Provenance:
        images = self.trainer.datamodule  # type: ignore[attr-defined]  # set as training begins
        return Provenance(self.config, images.config, images.info, images.train_on)

    def _end_training(self) -> None:
        loss, accuracy = self._train.result()  # waits for the device, so the clock is read after it
        self._speed = _six_digits(self._train.count / (time.perf_counter() - self._started))
        self._require_finite("train_loss", loss)
        # The last step may have broken the weights after the last loss was taken.
        largest = torch.stack([value.abs().max() for value in self.model.state_dict().values()]).max()
        self._require_finite("the largest weight", float(largest))
        self._log({"train_loss": loss, "train_acc": accuracy})

    def _log(self, metrics: Metrics) -> None:
        self._metrics |= metrics
        self.log_dict(metrics)

    def _require_finite(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise NonFiniteLoss(
                f"{name} is {value} in epoch {self.current_epoch + 1} at "
                f"{self.config.lr_field}={self.config.peak_lr:.6g}: the run has diverged. "
                f"Lower {self.config.lr_field}, or lengthen warmup."
            )


class Tally:
    """Sums loss and correct answers on the device; nothing waits for it until `result`.

    Example:
        >>> tally = Tally(torch.device("cpu"))
        >>> tally.add(torch.tensor(0.5), torch.eye(4), torch.tensor([0, 1, 2, 0]))
        >>> tally.result()
        (0.5, 0.75)
    """

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._correct = torch.zeros((), dtype=torch.int64, device=device)
        self.count = 0

    def add(self, mean_loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Counts a batch: its mean loss, logits (B, C) and labels (B,)."""
        self._loss.add_(mean_loss.detach(), alpha=len(labels))
        self._correct += (logits.detach().argmax(dim=1) == labels).sum()
        self.count += len(labels)

    def loss_so_far(self) -> float:
        """Sum of the losses; NaN or infinite from the first one on that is."""
        return self._loss.item()

    def result(self) -> tuple[float, float]:
        """Mean loss to six significant digits, and accuracy as count / total in float64."""
        return _six_digits(self._loss.item() / self.count), self._correct.item() / self.count


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
