"""Which images a CNN is retrained on: all but the test's, or as many of them as are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.splits import VAL_SHARE
from search.cifar.sweep import OBJECTIVE, data_of, data_settings, dataset_note
from search.config.definition import DatasetNote
from search.config.model import one_line
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.records import TrialRecord


@dataclass(frozen=True)
class TrainingImages:
    """Training and validation images together.

    Attributes:
        settings: what they are, as the settings of a sweep say it.
        note: the same for people and for comparing.

    Example:
        >>> sizes = {"train": 40_000, "val": 10_000, "test": 10_000}
        >>> note = DatasetNote(name="cifar10", digest="0a", sizes=sizes, classes=10)
        >>> TrainingImages({"dataset": "cifar10"}, note).count
        50000
    """

    settings: dict[str, Any]
    note: DatasetNote

    @property
    def count(self) -> int:
        """How many there are."""
        return self.note.sizes["train"] + self.note.sizes["val"]

    def check_batch(self, config: SweepConfig, record: TrialRecord) -> None:
        """Refuse to train on less than one batch.

        Raises:
            UserError: there are fewer images than a batch of the trial has, or its sweep is of an earlier
                version, with fields that there are no more.
        """
        try:
            batch = TrainConfig(**config.configuration(record.params)).batch_size
        except ValidationError as error:
            raise UserError(f"trial {record.number} cannot be trained again: {one_line(error)}") from error
        if self.count < batch:
            raise UserError(
                f"trial {record.number} trains in batches of {batch} images, and there are {self.count:,} to "
                "retrain it on: add images or ask for more `train_size`, or choose another `trial`"
            )


def training_images(config: SweepConfig, train_size: int | None) -> TrainingImages | None:
    """The images to retrain on, decoded and counted; None: what is trained is no CNN of ours.

    A sweep's subset made its trials cheap. The model that comes of it is to have seen all there is.

    Args:
        config: of the sweep; its images are those that it was launched with.
        train_size: so many of them, a stratified subset; None: all.

    Raises:
        UserError: there are not so many, or they are not the model's to choose.
    """
    if config.objective != OBJECTIVE:
        if train_size is not None:
            raise UserError(
                f"`train_size={train_size}`: sweep {config.name!r} trains {config.objective}, which chooses "
                "its data; leave it out"
            )
        return None
    whole = data_of(config).model_copy(update={"train_size": None, "val_size": None})
    images = TrainingImages(data_settings(whole), dataset_note(whole))
    if train_size is None or train_size == images.count:
        return images
    if not 3 <= train_size < images.count:
        raise UserError(
            f"`train_size={train_size}`: {whole.dataset!r} has {images.count:,} images that are not the "
            f"test's; ask for 3 to {images.count}"
        )
    part = _part(whole, train_size)
    return TrainingImages(data_settings(part), dataset_note(part))


def _part(whole: DataConfig, size: int) -> DataConfig:
    """So many, shared out between training and validation as all of them are: both have enough."""
    val = max(1, round(VAL_SHARE * size))
    return whole.model_copy(update={"train_size": size - val, "val_size": val})
