"""How a space is searched: the part of a sweep's definition that needs no space to be said."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from search.config.model import Settings

MaxEpochs = Annotated[int, Field(ge=1, description="Epochs of a trial that is not pruned.")]


class Method(Settings):
    """How the space is searched.

    Example:
        >>> Method(max_epochs=3).sampler
        'auto'
    """

    max_epochs: MaxEpochs
    sampler: str = Field(
        default="auto",
        description="auto (by the sweep's size and the epochs of a trial), curves, tpe, random, gp, cmaes, "
        "qmc or grid.",
    )
    sampler_args: dict[str, Any] = Field(default_factory=dict, description="Arguments of the sampler.")
    pruner: str = Field(
        default="auto",
        description="auto (by the sweep's size and the epochs of a trial), promotion, hyperband, asha, "
        "median, percentile, threshold, patient or none. Promotion freezes every trial at its rungs and "
        "thaws the best of each.",
    )
    pruner_args: dict[str, Any] = Field(default_factory=dict, description="Arguments of the pruner.")
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="Seed of the sampler; trial n trains with seed + n."
    )
