"""What each trial gets of the machines: cores, GPUs, and how many trials run at a time."""

from __future__ import annotations

import math

from pydantic import Field, ValidationInfo, field_validator

from search.config.model import Settings

STORED = "stored"
"""Context for validating what a sweep was launched with, by rules that may have been others then."""


def check_one_gpu(amount: float | None) -> float | None:
    """GPUs of a trial, as many as it can use.

    Raises:
        ValueError: it has more than one.
    """
    if amount is not None and amount > 1:
        raise ValueError("a trial trains on one device, and would leave the others idle: give 1 or less")
    return amount


class Resources(Settings):
    """Resources of the trials.

    Example:
        >>> Resources(cpus_per_trial=2).concurrency is None
        True
    """

    cpus_per_trial: float | None = Field(
        default=None,
        gt=0,
        description="CPU cores of a trial, and its torch threads; by default the cores are shared out.",
    )
    gpus_per_trial: float | None = Field(
        default=None,
        ge=0,
        description="GPUs of a trial, one at most; 0.5 lets two share one, 0 trains and tests on the CPU. By "
        "default one if there are any.",
    )
    concurrency: int | None = Field(
        default=None, ge=1, description="Most trials at a time; by default as many as fit."
    )
    ray_address: str | None = Field(
        default=None, description="Address of a running Ray cluster; by default this machine alone."
    )

    @field_validator("cpus_per_trial")
    @classmethod
    def _check_fraction(cls, amount: float | None) -> float | None:
        if amount is not None and amount > 1 and not math.isclose(amount, round(amount)):
            raise ValueError("above 1 only whole numbers can be placed; below 1 any fraction can")
        return amount

    @field_validator("gpus_per_trial")
    @classmethod
    def _check_one_gpu(cls, amount: float | None, info: ValidationInfo) -> float | None:
        # What earlier versions have stored is read as it is, and refused when it is to run.
        return amount if info.context == STORED else check_one_gpu(amount)
