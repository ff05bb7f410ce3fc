"""One training run as a LightningModule, in which nothing is logged or waited for at each step."""

import math
import time
from typing import Any, TypeAlias

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional

from cifar_cnn.batches import Batches
from cifar_cnn.config import TrainConfig
from cifar_cnn.errors import NonFiniteLoss
from cifar_cnn.model import CifarCNN
from cifar_cnn.precision import autocast, resolve_precision
from cifar_cnn.schedule import learning_rate
from cifar_cnn.seeds import derive_seed

Metrics: TypeAlias = dict[str, float]


class CifarModule(pl.LightningModule):
    """Trains a `CifarCNN` and measures each epoch. Takes its data from `WholeEpochs`.

    Args:
        config: how to train.
        num_classes: number of classes.

    Attributes:
        history: the metrics of every finished epoch, first epoch first; it is saved with a checkpoint.
            train_loss is the loss that is minimised (with label smoothing), over augmented images;
            val_loss is plain cross-entropy, so that it compares across trials. epoch_s is the wall time
            of the epoch with its validation, images_per_s the speed of training alone.

    Example:
        >>> optimizer = CifarModule(TrainConfig(optimizer="adamw", lr=0.002), 10).configure_optimizers()
        >>> type(optimizer).__name__, [group["weight_decay"] for group in optimizer.param_groups][1]
        ('AdamW', 0.0)
    """

    def __init__(self, config: TrainConfig, num_classes: int) -> None:
        super().__init__()
        # What Lightning calls a step is an epoch here (see `OneStep`): it cannot be the one to optimise.
        self.automatic_optimization = False
        self.config = config
        # Channels-last is what bf16 wants, and fp32 on a CPU too: 1.2 to 1.9 times NCHW's images/s.
        self.model = CifarCNN(config, num_classes).to(memory_format=torch.channels_last)
        self.history: list[Metrics] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """SGD or AdamW, decaying matrices and filters only: decay is no regulariser for the rest."""
        decayed = [parameter for parameter in self.model.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in self.model.parameters() if parameter.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self.config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        config = self.config
        if config.optimizer == "adamw":
            return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, config.beta2), fused=True)
        nesterov = config.momentum > 0  # torch refuses Nesterov without momentum
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=nesterov, fused=True)

    def on_fit_start(self) -> None:
        """Settles what stays the same for the whole run."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self._optimizer = optimizer
        self._precision = resolve_precision(self.config.precision, self.device)

    def on_train_epoch_start(self) -> None:
        """Starts the clock and the tallies, and seeds dropout for this epoch."""
        torch.manual_seed(derive_seed("dropout", self.config.seed, self.current_epoch))
        self._train, self._val = Tally(self.device), Tally(self.device)
        self._train_result: tuple[float, float] | None = None
        self._started = time.perf_counter()

    def training_step(self, batches: Batches, _: int) -> None:
        """Trains on all batches of an epoch."""
        steps = len(batches)
        for index, (images, labels) in enumerate(batches, start=self.current_epoch * steps):
            for group in self._optimizer.param_groups:
                group["lr"] = learning_rate(self.config, index, self.config.max_epochs * steps)
            self._train.add(*self._learn(images, labels), labels)
        self._steps_taken = (self.current_epoch + 1) * steps

    def _learn(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with autocast(self._precision, self.device):
            logits = self.model(images)
            loss = functional.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return loss, logits

    def on_validation_epoch_start(self) -> None:
        """Ends the training part of the epoch; a diverged model is not worth validating."""
        self._end_training()

    def validation_step(self, batches: Batches, _: int) -> None:
        """Counts all batches of the validation split."""
        for images, labels in batches:
            with autocast(self._precision, self.device):
                logits = self.model(images)
                loss = functional.cross_entropy(logits, labels)
            self._val.add(loss, logits, labels)

    def finish_epoch(self) -> Metrics:
        """Adds the epoch's metrics to the history and returns them.

        Raises:
            NonFiniteLoss: a loss or a weight is NaN or infinite; the history then stays as it was.
        """
        if self._train_result is None:
            self._end_training()
        assert self._train_result is not None
        loss, accuracy = self._train_result
        metrics = {"train_loss": loss, "train_acc": accuracy}
        if self._val.count:
            val_loss, val_accuracy = self._val.result()
            self._require_finite("val_loss", val_loss)
            metrics |= {"val_loss": val_loss, "val_acc": val_accuracy}
        metrics["images_per_s"] = _six_digits(self._train.count / self._train_s)
        metrics["epoch_s"] = _six_digits(time.perf_counter() - self._started)
        self.history.append(metrics)
        return metrics

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lets the history travel with the weights, and the true number of steps."""
        checkpoint["global_step"] = self._steps_taken
        checkpoint["history"] = [dict(metrics) for metrics in self.history]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the history up again."""
        self.history = checkpoint["history"]

    def _end_training(self) -> None:
        self._train_result = self._train.result()  # waits for the device, so the clock is read after it
        self._train_s = time.perf_counter() - self._started
        self._require_finite("train_loss", self._train_result[0])
        # The last step may have broken the weights after the last loss was taken.
        largest = torch.stack([value.abs().max() for value in self.model.state_dict().values()]).max()
        self._require_finite("the largest weight", float(largest))

    def _require_finite(self, name: str, value: float) -> None:
        if not math.isfinite(value):
            raise NonFiniteLoss(
                f"{name} is {value} in epoch {self.current_epoch + 1} at lr={self.config.lr:.6g}: "
                "the run has diverged. Lower lr, or lengthen warmup."
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

    def result(self) -> tuple[float, float]:
        """Mean loss to six significant digits, and accuracy as count / total in float64."""
        return _six_digits(self._loss.item() / self.count), self._correct.item() / self.count


def _six_digits(value: float) -> float:
    return float(f"{value:.6g}")
