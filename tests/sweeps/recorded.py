"""A trial without a sweep: what is reported is written down, and a checkpoint is kept as a sweep keeps it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.objective.context import Steps, TrialContext, TrialStopped
from search.training.objective import LightningObjective
from search.training.settings import LightningSettings

EPOCHS = 4


class Recorded:
    """One trial, attempt after attempt.

    Attributes:
        metrics: what was reported of each epoch.
        steps: what was reported of its steps.
        saved: the epochs that were reported with a checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attempts = 0
        self.metrics: dict[int, Mapping[str, float]] = {}
        self.steps: dict[int, Steps] = {}
        self.saved: list[int] = []

    def attempt(
        self, objective: Any, params: Mapping[str, Any], until: int | None = None, **fields: Any
    ) -> None:
        """Train on from the newest checkpoint, and be stopped at an epoch."""
        self._attempts += 1
        scratch = self._folder / f"scratch-{self._attempts}"
        scratch.mkdir(parents=True)
        kept = self._folder / "kept"

        def report(epoch: int, metrics: Mapping[str, float], checkpoint: Path | None, steps: Steps) -> None:
            assert epoch == context.epochs_done + 1
            context.epochs_done = epoch
            self.metrics[epoch], self.steps[epoch] = dict(metrics), steps
            if checkpoint is not None:
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(checkpoint, kept)
                self.saved.append(epoch)
            if epoch == until:
                raise TrialStopped

        context = TrialContext(
            max_epochs=EPOCHS,
            scratch=scratch,
            on_report=report,
            seed=3,
            checkpoint=kept if self.saved else None,
            epochs_done=max(self.saved, default=0),
            **fields,
        )
        try:
            objective(params, context)
        except TrialStopped:
            assert until is not None


def objective_of(module: Any, data: Any = None, callbacks: Any = None, **settings: Any) -> LightningObjective:
    """The training function of a sweep of these."""
    return LightningObjective(
        module, data, callbacks, LightningSettings(**{"max_epochs": EPOCHS, **settings})
    )
