"""What a checkpoint says beside the weights, and reading it back, safely."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cifar_cnn.classifier import Classifier
from cifar_cnn.config import LEFT_OUT, DataConfig, TrainConfig
from cifar_cnn.errors import CheckpointError
from cifar_cnn.model import make_model
from cifar_cnn.prepare import DataInfo

FILE_NAME = "model.ckpt"

_SECTION = "cifar_cnn"
"""Key of our own part of a Lightning checkpoint. All in it is plain JSON types: weights_only loads it."""

_MODEL_PREFIX = "model."
"""What the LightningModule puts before the names of the network's weights."""


@dataclass(frozen=True)
class Provenance:
    """Where weights come from: how they were trained and on what.

    Example:
        >>> from cifar_cnn.prepare import prepare_data
        >>> data = DataConfig(train_size=100)
        >>> provenance = Provenance(TrainConfig(depth=2), data, prepare_data(data), "train")
        >>> checkpoint: dict[str, Any] = {}
        >>> provenance.store(checkpoint)
        >>> Provenance.of(checkpoint) == provenance
        True
    """

    train_config: TrainConfig
    data_config: DataConfig
    data_info: DataInfo
    train_on: str

    def store(self, checkpoint: dict[str, Any]) -> None:
        """Writes itself into a Lightning checkpoint."""
        checkpoint[_SECTION] = {
            "train_config": self.train_config.model_dump(mode="json"),
            "data_config": self.data_config.model_dump(mode="json"),
            "data_info": self.data_info.model_dump(mode="json"),
            "train_on": self.train_on,
        }

    @classmethod
    def of(cls, checkpoint: Mapping[str, Any]) -> "Provenance":
        """Reads itself out of a Lightning checkpoint.

        Raises:
            CheckpointError: another version wrote it, with other names or ranges, or another module.
        """
        try:
            section = checkpoint[_SECTION]
            training = {key: value for key, value in section["train_config"].items() if key not in LEFT_OUT}
            return cls(
                TrainConfig(**training),
                DataConfig(**section["data_config"]),
                DataInfo(**section["data_info"]),
                section["train_on"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _of_another_version(error) from error

    def require_same_run(self, other: "Provenance") -> None:
        """Refuses to go on with this checkpoint as another run.

        Paths and the meaning of precision 'auto' may differ, as they do from node to node.

        Raises:
            CheckpointError: names what differs.
        """
        differences = [self.train_config.difference(other.train_config)]
        if self.train_on != other.train_on:
            differences.append(f"train_on: {self.train_on} -> {other.train_on}")
        mine, theirs = self.data_info, other.data_info
        if (mine.fingerprint, mine.split_digest) != (theirs.fingerprint, theirs.split_digest):
            differences.append(
                f"data: {mine.dataset} {mine.fingerprint}, split {mine.split_digest} -> "
                f"{theirs.dataset} {theirs.fingerprint}, split {theirs.split_digest}"
            )
        if any(differences):
            raise CheckpointError(
                f"The checkpoint belongs to another run ({', '.join(filter(None, differences))}); "
                "resume with what it was made with, or start without it."
            )


@dataclass(frozen=True)
class LoadedModel:
    """A trained network, on the CPU and in eval mode, with all that is needed to use it.

    Example:
        >>> import pytorch_lightning as pl
        >>> from cifar_cnn.data import ImageDataModule
        >>> from cifar_cnn.module import CifarModule
        >>> config = TrainConfig(depth=1, width=4, max_epochs=1)
        >>> images = ImageDataModule(DataConfig(train_size=100), batch_size=32, seed=0)
        >>> options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        >>> trainer = pl.Trainer(max_epochs=1, accelerator="cpu", enable_checkpointing=False, **options)
        >>> trainer.fit(CifarModule(config, num_classes=10), datamodule=images)
        >>> trainer.save_checkpoint("model.ckpt")
        >>> loaded = load_checkpoint(Path("model.ckpt"))
        >>> loaded.train_config == config, len(loaded.class_names), len(loaded.history)
        (True, 10, 1)
    """

    model: Classifier
    train_config: TrainConfig
    data_config: DataConfig
    data_info: DataInfo
    train_on: str
    history: list[dict[str, float]]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class, by label."""
        return self.data_info.class_names

    @property
    def mean(self) -> tuple[float, float, float]:
        """Mean of red, green, blue that images are normalised by; 0 to 1."""
        return self.data_info.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """Deviation of red, green, blue that images are normalised by; 0 to 1."""
        return self.data_info.std


def checkpoint_file(path: Path) -> Path:
    """The checkpoint file: `path` itself, or model.ckpt in it if it is a folder."""
    return path / FILE_NAME if path.is_dir() else path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint of this project, without running any code that a pickle may hold.

    Args:
        path: the file, or the folder that holds it.

    Raises:
        CheckpointError: it is missing, damaged or not one of ours.
    """
    file = checkpoint_file(path)
    if not file.is_file():
        raise CheckpointError(
            f"{file} does not exist; name a checkpoint, or the folder that holds {FILE_NAME}."
        )
    try:
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, KeyError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{file} is damaged and cannot be read ({reason}); use an older one."
        ) from error
    if not isinstance(checkpoint, dict) or not {_SECTION, "history", "state_dict"} <= checkpoint.keys():
        raise CheckpointError(f"{file} is not a checkpoint that cifar_cnn wrote; name one that fit() saved.")
    return checkpoint


def load_weights(model: Classifier, checkpoint: Mapping[str, Any]) -> None:
    """Puts a checkpoint's weights into a network.

    Raises:
        CheckpointError: another version wrote it, with other layers.
    """
    weights = {name.removeprefix(_MODEL_PREFIX): value for name, value in checkpoint["state_dict"].items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise _of_another_version(error) from error


def _of_another_version(error: Exception) -> CheckpointError:
    reason = " ".join(str(error).split())[:200]
    return CheckpointError(
        f"The checkpoint was written by another version of this project ({reason}); use that version, "
        "or start without it."
    )


def load_checkpoint(path: Path) -> LoadedModel:
    """Loads a trained model.

    Args:
        path: the checkpoint file, or the folder that holds it.

    Raises:
        CheckpointError: it is missing, damaged, not one of ours or of another version.
    """
    checkpoint = read_checkpoint(path)
    provenance = Provenance.of(checkpoint)
    model = make_model(provenance.train_config, provenance.data_info.num_classes)
    load_weights(model, checkpoint)
    return LoadedModel(
        model.eval(),
        provenance.train_config,
        provenance.data_config,
        provenance.data_info,
        provenance.train_on,
        checkpoint["history"],
    )
