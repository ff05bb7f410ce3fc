"""How good a trained model is on a named split."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cifar_cnn.batches import Batches
from cifar_cnn.calibration import calibration_bins
from cifar_cnn.checkpoint import LoadedModel, load_checkpoint
from cifar_cnn.config import DataConfig
from cifar_cnn.cores import usable_cores
from cifar_cnn.data import ImageDataModule
from cifar_cnn.device import Accelerator, torch_threads, training_device
from cifar_cnn.errors import DataError
from cifar_cnn.intervals import wilson_interval
from cifar_cnn.prepare import Split


@dataclass(frozen=True)
class Evaluation:
    """What a model does on one split. Rates are shares from 0 to 1.

    Attributes:
        split: 'train', 'val' or 'test'.
        n: images in the split.
        accuracy: share of images classified rightly.
        loss: mean cross-entropy in nats.
        calibration_error: expected calibration error (`calibration.CalibrationBins`): how far confidence and
            accuracy lie apart on average.
        class_names: name of each class, by label.
        class_accuracy: accuracy among the images of each class; None for a class without images.
        confusion: `confusion[i][j]` counts images of class i taken for class j.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 0.0]])
        >>> evaluation = summarise(logits, torch.tensor([0, 1, 0, 1]), ("cat", "dog"), "val")
        >>> evaluation.accuracy, evaluation.class_accuracy, evaluation.confusion
        (0.75, (1.0, 0.5), ((2, 0), (1, 1)))
    """

    split: Split
    n: int
    accuracy: float
    loss: float
    calibration_error: float
    class_names: tuple[str, ...]
    class_accuracy: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the accuracy by the number of images alone."""
        return wilson_interval(self.accuracy, self.n)

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        return asdict(self)


def evaluate(
    checkpoint: Path, split: Split, *, data: DataConfig | None = None, accelerator: Accelerator = "auto"
) -> Evaluation:
    """Evaluates a checkpoint, in fp32.

    Args:
        checkpoint: the file, or the folder that holds it.
        split: evaluating on 'test' is what reads the test images; do it once.
        data: where the data lie on this machine; None: where they lay when the model was trained.
        accelerator: 'auto' evaluates on a GPU if torch sees one; 'cpu' leaves it alone.

    Raises:
        CheckpointError: as `load_checkpoint`.
        DataError: as `prepare_data`, or the data are not those the model was trained on.
    """
    predicted = predict_split(checkpoint, split, data=data, accelerator=accelerator)
    return summarise(predicted.logits, predicted.labels, predicted.class_names, split)


@dataclass(frozen=True)
class Predicted:
    """What a model says of each image of a split.

    Attributes:
        logits: float32 (N, C).
        labels: int64 (N,), what is true.
        class_names: C names.

    Example:
        >>> logits = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> predicted = Predicted(logits, torch.tensor([0, 0]), ("cat", "dog"))
        >>> predicted.classes.tolist(), predicted.correct.tolist()
        ([0, 1], [True, False])
    """

    logits: Tensor
    labels: Tensor
    class_names: tuple[str, ...]

    @property
    def confidence(self) -> Tensor:
        """Probability of each image's predicted class, float64 (N,)."""
        return self.logits.double().softmax(dim=1).max(dim=1).values

    @property
    def classes(self) -> Tensor:
        """Each image's predicted class, int64 (N,)."""
        return self.logits.argmax(dim=1)

    @property
    def correct(self) -> Tensor:
        """Whether each image was classified rightly, bool (N,)."""
        return self.classes == self.labels


def predict_split(
    checkpoint: Path,
    split: Split,
    *,
    data: DataConfig | None = None,
    accelerator: Accelerator = "auto",
    change: Callable[[Tensor], Tensor] | None = None,
) -> Predicted:
    """Predicts every image of a split.

    Args:
        checkpoint: as for `evaluate`.
        split: which images.
        data: as for `evaluate`.
        accelerator: as for `evaluate`.
        change: what to do to the images first: uint8 (N, 32, 32, 3) -> the same.

    Raises:
        CheckpointError, DataError: as `evaluate`.
    """
    loaded = load_checkpoint(checkpoint)
    module = ImageDataModule(data or loaded.data_config, batch_size=1, seed=0)
    _require_same_data(loaded, module)
    batches = module.plain_batches(split)
    if change is not None:
        batches = replace(batches, images=change(batches.images))
    logits, labels = _predict(loaded, batches, training_device(accelerator))
    return Predicted(logits, labels, loaded.class_names)


def summarise(logits: Tensor, labels: Tensor, class_names: tuple[str, ...], split: Split) -> Evaluation:
    """Turns predictions into figures.

    Args:
        logits: float (N, C).
        labels: int64 (N,).
        class_names: C names.
        split: what to call it.
    """
    classes = len(class_names)
    confidence, predicted = logits.double().softmax(dim=1).max(dim=1)
    confusion = torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)
    of_class = zip(confusion.diag().tolist(), confusion.sum(dim=1).tolist(), strict=True)
    return Evaluation(
        split=split,
        n=len(labels),
        accuracy=int(confusion.diag().sum()) / len(labels),
        loss=functional.cross_entropy(logits.double(), labels).item(),
        calibration_error=calibration_bins(confidence, predicted == labels).expected_error,
        class_names=class_names,
        class_accuracy=tuple(right / total if total else None for right, total in of_class),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def _require_same_data(loaded: LoadedModel, module: ImageDataModule) -> None:
    trained, given = loaded.data_info, module.info
    if trained.fingerprint != given.fingerprint:
        raise DataError(
            f"The model was trained on {trained.dataset!r} with fingerprint {trained.fingerprint}, and the "
            f"data at hand are {given.dataset!r} with {given.fingerprint}; point data_dir at the former."
        )


@torch.inference_mode()
def _predict(loaded: LoadedModel, batches: Batches, device: torch.device) -> tuple[Tensor, Tensor]:
    model = loaded.model.to(device)
    # torch counts the cores that it is pinned to, and knows nothing of a container's quota.
    with torch_threads(min(torch.get_num_threads(), usable_cores())):
        results = [(model(images.to(device)).cpu(), labels) for images, labels in batches]
    logits, labels = zip(*results, strict=True)
    return torch.cat(logits), torch.cat(labels)
