"""How a space is searched: the part of a sweep's definition that needs no space to be said."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from search.config.goals import Direction, Goal, direction_of
from search.config.model import Settings
from search.config.names import check_metric

_logger = logging.getLogger(__name__)

MaxEpochs = Annotated[int, Field(ge=1, description="Epochs of a trial that is not pruned.")]


class Method(Settings):
    """How the space is searched.

    Example:
        >>> Method(max_epochs=3).sampler
        'auto'
    """

    max_epochs: MaxEpochs
    metric: str = Field(default="val_acc", description="The reported metric that is optimised.")
    direction: Direction = Field(
        default=None,
        validate_default=True,
        description="maximize or minimize the metric; by default as its name tells.",
    )
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

    @field_validator("metric")
    @classmethod
    def _check_metric(cls, name: str) -> str:
        return check_metric(name)

    @field_validator("direction", mode="before")
    @classmethod
    def _by_name(cls, direction: Any, info: ValidationInfo) -> Any:
        metric = info.data.get("metric")
        if direction is not None or metric is None:  # without a metric, that is told first
            return direction
        by_name = direction_of(metric)
        if metric != cls.model_fields["metric"].default:
            _logger.info("%s, as its name tells; `direction` says otherwise", Goal(metric, by_name))
        return by_name
