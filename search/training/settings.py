"""What a sweep's definition says of its LightningModule, besides the module itself: plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from search.config.model import Duration, Settings
from search.training.trainer_options import check_options

KEY = "lightning"  # of the sweep's settings
CHECKPOINT_FILE = "model.ckpt"  # which is what `cifar_cnn.checkpoint` reads, too


class LightningSettings(Settings):
    """How a trial's LightningModule is trained.

    >>> settings = LightningSettings(max_epochs=20, trainer={"gradient_clip_val": 1.0})
    >>> LightningSettings.of({"lightning": settings.model_dump(mode="json")}) == settings
    True
    """

    max_epochs: int = Field(ge=1, description="Epochs of a training that is not stopped.")
    data: str | None = Field(
        default=None,
        description="The LightningDataModule, or a function that makes it, as `module:name`; by default the "
        "module has its own loaders.",
    )
    callbacks: str | None = Field(
        default=None,
        description="A function that returns a list of Lightning callbacks, as `module:name`: each trial "
        "needs its own.",
    )
    trainer: dict[str, Any] = Field(
        default_factory=dict,
        description="Options of Lightning's Trainer, such as gradient_clip_val; those that the sweep decides "
        "are refused.",
    )
    checkpoint_every_n_epochs: int = Field(
        default=1,
        ge=1,
        description="Validated epochs between checkpoints. By default each epoch has one, so that a crash "
        "costs no finished epoch.",
    )
    checkpoint_every: Duration | None = Field(
        default=None,
        gt=0,
        description="Time between checkpoints at the least, such as 30s: for epochs of a second. The last "
        "epoch has one always, as has one after which the trial is frozen.",
    )

    validates: bool = Field(
        default=True,
        description="Whether there is a validation, which an epoch of the sweep belongs to. A retraining on "
        "all data has none: it reports every epoch.",
    )

    @field_validator("trainer")
    @classmethod
    def _check_trainer(cls, options: dict[str, Any]) -> dict[str, Any]:
        check_options(options)
        return options

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> LightningSettings:
        """Read from a sweep's settings."""
        return cls.model_validate(settings[KEY])
