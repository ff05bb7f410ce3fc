"""What a trained model says of each image of a split, asked on all cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from cifar_cnn.checkpoint import LoadedModel, load_checkpoint
from cifar_cnn.config import DataConfig
from cifar_cnn.cores import usable_cores
from cifar_cnn.data import ImageDataModule
from cifar_cnn.device import Accelerator, torch_threads, training_device
from cifar_cnn.errors import DataError
from cifar_cnn.precision import Resolved, autocast
from cifar_cnn.prepare import Split

Change: TypeAlias = Callable[[Tensor, int], Tensor]
"""What is done to a batch of images first: uint8 (B, 32, 32, 3), and a seed for what it draws -> the same."""

_CPU_BATCH = 128
"""Images that a core takes at a time: few, for each core needs the memory of a batch."""


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
        >>> predicted.classes.tolist(), predicted.correct.tolist(), predicted.accuracy
        ([0, 1], [True, False], 0.5)
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

    @property
    def accuracy(self) -> float:
        """Share of images classified rightly."""
        return float(self.correct.double().mean())


class Predictor:
    """A trained model and the images of a split, loaded once, to be asked about them once or many times.

    On a CPU each core takes batches of its own, on one thread: threads that share a batch wait for each
    other at every layer, and all of them for one that other programs hold up. So predictions do not depend on
    the number of cores either.

    Args:
        checkpoint: the file, or the folder that holds it.
        split: which images.
        data: where the data lie on this machine; None: where they lay when the model was trained.
        accelerator: 'auto' predicts on a GPU if torch sees one; 'cpu' leaves it alone.

    Raises:
        CheckpointError: as `load_checkpoint`.
        DataError: as `prepare_data`, or the data are not those the model was trained on.

    Example:
        >>> import pytorch_lightning as pl
        >>> from cifar_cnn.config import TrainConfig
        >>> from cifar_cnn.module import CifarModule
        >>> images = ImageDataModule(DataConfig(train_size=100), batch_size=32, seed=0)
        >>> options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        >>> trainer = pl.Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False, **options)
        >>> trainer.fit(CifarModule(TrainConfig(depth=1, width=4), num_classes=10), datamodule=images)
        >>> trainer.save_checkpoint("model.ckpt")
        >>> predictor = Predictor(Path("model.ckpt"), "test")
        >>> len(predictor), predictor.predict().logits.shape
        (360, torch.Size([360, 10]))
    """

    def __init__(
        self,
        checkpoint: Path,
        split: Split,
        *,
        data: DataConfig | None = None,
        accelerator: Accelerator = "auto",
    ) -> None:
        loaded = load_checkpoint(checkpoint)
        module = ImageDataModule(data or loaded.data_config, batch_size=1, seed=0)
        _require_same_data(loaded, module)
        self.device = training_device(accelerator)
        self.class_names = loaded.class_names
        self._on_cpu = self.device.type == "cpu"
        # As images lie: in the other order a CPU would turn them around at every convolution.
        self._model = loaded.model.to(memory_format=torch.channels_last).to(self.device)
        batches = module.plain_batches(split)
        self._batches = replace(batches, batch_size=_CPU_BATCH) if self._on_cpu else batches

    def __len__(self) -> int:
        return len(self._batches.positions)

    def predict(
        self,
        change: Change | None = None,
        *,
        precision: Resolved = "fp32",
        on_images: Callable[[int], None] | None = None,
    ) -> Predicted:
        """Predicts every image.

        Args:
            change: what to do to the images first; the seeds are the batches' numbers.
            precision: of all layers.
            on_images: is told how many more have been predicted, from time to time.
        """

        def of_batch(seed: int, positions: Tensor) -> tuple[Tensor, Tensor]:
            images = self._batches.images.index_select(0, positions)
            if change is not None:
                images = change(images, seed)
            ready = self._batches.normalise(images).to(self.device)
            # Both hold in the thread that enters them alone.
            with torch.inference_mode(), autocast(precision, self.device):
                logits = self._model(ready).float().cpu()
            return logits, self._batches.labels.index_select(0, positions)

        parts = self._batches.positions.tensor_split(len(self._batches))
        results = []
        with torch_threads(1 if self._on_cpu else None), ThreadPoolExecutor(self._workers()) as pool:
            for logits, labels in pool.map(of_batch, range(len(parts)), parts):
                results.append((logits, labels))
                if on_images is not None:
                    on_images(len(labels))
        logits, labels = (torch.cat(each) for each in zip(*results, strict=True))
        return Predicted(logits, labels, self.class_names)

    def _workers(self) -> int:
        return usable_cores() if self._on_cpu else 1


def _require_same_data(loaded: LoadedModel, module: ImageDataModule) -> None:
    trained, given = loaded.data_info, module.info
    if trained.fingerprint != given.fingerprint:
        raise DataError(
            f"The model was trained on {trained.dataset!r} with fingerprint {trained.fingerprint}, and the "
            f"data at hand are {given.dataset!r} with {given.fingerprint}; point data_dir at the former."
        )
