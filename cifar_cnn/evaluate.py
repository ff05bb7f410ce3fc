"""How good a trained model is on a named split."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from cifar_cnn.calibration import calibration_bins
from cifar_cnn.config import DataConfig
from cifar_cnn.device import Accelerator
from cifar_cnn.intervals import wilson_interval
from cifar_cnn.predict import Predictor
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

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Images of each class."""
        return tuple(map(sum, self.confusion))

    @property
    def class_intervals(self) -> tuple[tuple[float, float] | None, ...]:
        """95% interval of each class's accuracy by its number of images alone; None where there are none.

        Each for itself: of a hundred classes some five have their true accuracy outside.
        """
        of_class = zip(self.class_accuracy, self.class_counts, strict=True)
        return tuple(None if rate is None else wilson_interval(rate, count) for rate, count in of_class)

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
    predicted = Predictor(checkpoint, split, data=data, accelerator=accelerator).predict()
    return summarise(predicted.logits, predicted.labels, predicted.class_names, split)


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
