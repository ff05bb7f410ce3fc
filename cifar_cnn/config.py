"""What a training run is: `TrainConfig` says how to learn and `DataConfig` from what.

Both are frozen values that travel: sampled by a sweep, stored in every checkpoint, shown by the API.
Importing this module loads neither torch nor Lightning, so that `--help` stays quick.
"""

import difflib
import numbers
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

IMAGE_SIZE = 32
"""Height and width in pixels of every image a model sees."""

MAX_DEPTH = 5
"""Every block halves the map: 32, 16, 8, 4, 2, 1. A sixth block would have nothing left to halve."""


class _Frozen(BaseModel):
    """Strict and frozen: no silent conversions, no unknown names, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and (
            unknown := [name for name in values if name not in cls.model_fields]
        ):
            close = difflib.get_close_matches(str(unknown[0]), cls.model_fields, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{cls.__name__} knows no {', '.join(map(repr, unknown))}.{hint} "
                f"Known names: {', '.join(cls.model_fields)}."
            )
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _plain_numbers(cls, value: Any) -> Any:
        # Samplers hand out numpy numbers. One np.float64 in a checkpoint and torch.load(weights_only=True)
        # refuses the whole file, so they become Python numbers here.
        if isinstance(value, numbers.Integral) and not isinstance(value, bool):
            return int(value)
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            return float(value)
        return value


class TrainConfig(_Frozen):
    """Everything that decides how one model is trained. All but max_epochs and seed can be searched over.

    Raises:
        pydantic.ValidationError: a `ValueError` that names the field, the value and the rule; for an
            unknown name it lists the known ones.

    Example:
        >>> TrainConfig(width=64).difference(TrainConfig())
        'width: 64 -> 32'
        >>> TrainConfig(depth=9)
        Traceback (most recent call last):
        ...
        pydantic_core._pydantic_core.ValidationError: 1 validation error for TrainConfig
        ...
    """

    depth: int = Field(
        default=3,
        ge=1,
        le=MAX_DEPTH,
        description="Blocks of two convolutions. Each halves the feature map (32 pixels), so 5 is the most; "
        "3 leaves a 4x4 map, the usual end of a CIFAR network.",
    )
    width: int = Field(
        default=32,
        ge=4,
        le=512,
        description="Channels of the first block; each further block has twice as many. "
        "32 trains in minutes on a CPU.",
    )
    lr: float = Field(
        default=0.05,
        gt=0,
        le=10,
        description="Peak learning rate, per step. 0.05 suits the default SGD at batches of 128; "
        "AdamW wants about 0.002.",
    )
    max_epochs: int = Field(
        default=10,
        ge=1,
        le=100_000,
        description="Epochs of the whole run; the learning-rate schedule is stretched over them.",
    )
    batch_size: int = Field(
        default=128,
        ge=4,
        le=65_536,
        description="Most images per step. 128 is large enough for the hardware and small enough for a "
        "short run to make many steps; below 4, batch normalisation has too little to average.",
    )
    optimizer: Literal["sgd", "adamw"] = Field(
        default="sgd",
        description="'sgd' (Nesterov momentum) generalises best on CIFAR; 'adamw' forgives a rough lr.",
    )
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Nesterov momentum of 'sgd'; 0.9 is the common choice. No unit."
    )
    beta2: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="Decay of the squared-gradient average of 'adamw' (its paper's value); beta1 is 0.9.",
    )
    weight_decay: float = Field(
        default=5e-4,
        ge=0,
        le=10,
        description="Decay of convolution and linear weights, never of biases or normalisation: an L2 "
        "gradient term in 'sgd' (5e-4 is CIFAR's classic), decoupled in 'adamw' (there 0.01 to 0.1).",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of head features dropped in training. 0: short runs underfit before they overfit.",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the target spread over all classes in the training loss; val_loss has none.",
    )
    head_width: int = Field(
        default=128, ge=8, le=8192, description="Features of the hidden fully connected layer."
    )
    augmentation: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Strength: images are shifted by up to round(4 * strength) pixels and, for photographs, "
        "mirrored with probability strength / 2. 1 is the standard CIFAR recipe, 0 is none.",
    )
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine", description="Course of lr after the warm-up: a cosine down to 0, or constant."
    )
    warmup: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="Share of all steps over which lr rises linearly from 0. A share, not a count, so "
        "that it means the same at every max_epochs and batch size; 0.1 keeps large lr from diverging.",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="Arithmetic of forward and backward. 'auto' is bf16 where the hardware is fast at it, "
        "else fp32; weights stay fp32 always.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Seed of the weights, the order of batches, augmentation and dropout.",
    )

    def difference(self, other: Self) -> str:
        """The fields in which `other` differs, as `name: mine -> theirs`; empty if there are none."""
        mine, theirs = self.model_dump(), other.model_dump()
        return ", ".join(
            f"{name}: {mine[name]} -> {theirs[name]}" for name in mine if mine[name] != theirs[name]
        )


class DataConfig(_Frozen):
    """Which images to learn from, and where they lie.

    Raises:
        pydantic.ValidationError: a `ValueError` that names the field, the value and the rule. Whether
            there are as many images as asked for shows when the data are prepared.

    Example:
        >>> DataConfig(dataset="cifar10", train_size=8000, val_size=2000).split_seed
        0
    """

    dataset: Literal["digits", "cifar10", "folder"] = Field(
        default="digits",
        description="'digits' (scikit-learn's, offline), 'cifar10' (downloaded, checksummed) or 'folder' "
        "(images below train/<class>/ and test/<class>/).",
    )
    data_dir: Annotated[Path, Field(strict=False)] = Field(
        default=Path("data"),
        validate_default=True,
        description="Where the raw data lie or are downloaded to; for 'folder' the root of train/ and test/.",
    )
    cache_dir: Annotated[Path | None, Field(strict=False)] = Field(
        default=None,
        description="Where decoded images are kept. None: inside data_dir, or where that cannot be written, "
        "in the user's cache folder.",
    )
    skip_damaged: bool = Field(
        default=False,
        description="Leave images of a 'folder' out that cannot be decoded, and say which. By default they "
        "are refused, for a sweep on other images is another sweep.",
    )
    train_size: int | None = Field(
        default=None, ge=2, description="Training images, a stratified subset; by default all of them."
    )
    val_size: int | None = Field(
        default=None, ge=1, description="Validation images, a stratified subset; by default all of them."
    )
    split_seed: int = Field(
        default=0,
        ge=0,
        lt=2**63,
        description="Seed of the split into training and validation, apart from the training seed so that "
        "all trials of a sweep see the same split.",
    )

    @field_validator("skip_damaged")
    @classmethod
    def _only_of_folders(cls, skip: bool, info: ValidationInfo) -> bool:
        if skip and info.data.get("dataset", "folder") != "folder":
            raise ValueError("only the images of a 'folder' are decoded one by one; leave it out")
        return skip

    @field_validator("data_dir", "cache_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                "the folder's name is no UTF-8, so that no configuration can hold it; rename it, or make a "
                "link to it"
            ) from error
        return path.expanduser().absolute()
