"""The stopwatch as a Lightning callback."""

from __future__ import annotations

import pytorch_lightning as pl

from benchmarks.work import Stopwatch


class Watch(pl.Callback):
    """Notes each epoch's end once it has been validated."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._stopwatch.epoch_ended()
