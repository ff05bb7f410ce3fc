"""A retraining's own training for tests, of which one fails until it is mended. Workers import this."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cifar_cnn.config import TrainConfig
from search.cifar.objective import train_reporting
from search.objective.context import TrialContext

FAILING = 1  # number of the training that fails


def train(params: Mapping[str, Any], context: TrialContext) -> None:
    """Train as a retraining does; one has no memory until the file `mended` of the settings is there."""
    if context.number == FAILING and not Path(context.settings["mended"]).exists():
        raise MemoryError("no room for the activations")
    config = TrainConfig(**params, max_epochs=context.max_epochs, seed=context.seed)
    train_reporting(
        config, context, train_on="train+val" if context.settings["kind"] == "retrain" else "train"
    )
