"""Which images to learn from, and where they lie."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cifar_cnn.config.frozen import Frozen


class DataConfig(Frozen):
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
