"""What a retraining makes: a checkpoint, and what can be said of it and done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.sweep_config import SweepConfig
from search.finalists.confirm import Confirmation
from search.results.summary import SweepSummary
from search.tracking.models.tested import Tested

Evaluations = Sequence[dict[str, Any]]
"""Of the test split, as plain JSON, one for each seed."""


class NotSaved(ValueError):
    """There is no model to serve; says why, and what its author can do."""


@dataclass(frozen=True)
class Product:
    """Of a training function that is its author's own: its checkpoint is kept, and that is all.

    Attributes:
        summary: of the sweep that the configuration comes from.
        config: of the retraining.

    Example:
        >>> from search.results.leaderboard import savings
        >>> from spaces.quickstart import SPACE
        >>> sweep = SweepConfig(name="day", space=SPACE, objective="math:sqrt", trials=2, max_epochs=1)
        >>> again = sweep.model_copy(update={"tags": {"sweep.of_trial": "1"}})
        >>> product = Product(SweepSummary(sweep, "id", [], {}, savings([], 1)), again)
        >>> product.has_test(), product.tested([], seeds=3).metric
        (False, None)
    """

    summary: SweepSummary
    config: SweepConfig

    @property
    def trial(self) -> int:
        """Number of the trial that is retrained."""
        return int(self.config.tags["sweep.of_trial"])

    @property
    def model_folder(self) -> Path:
        """Where the model is saved."""
        return self.config.folder / "model"

    def has_test(self) -> bool:
        """Whether a checkpoint can be tested."""
        return False

    def test_set(self) -> str | None:
        """Digest of what a checkpoint is tested on; None: not known."""
        return None

    def evaluate(self, checkpoint: Path) -> dict[str, Any]:
        """What the test split says of a checkpoint, as plain JSON.

        Raises:
            UserError: the data or the checkpoint cannot be read.
        """
        raise AssertionError("asked for though there is no test")

    def metrics(self, evaluations: Evaluations) -> dict[str, tuple[float, ...]]:
        """All that the test measured, by seed."""
        return {}

    def tested(self, evaluations: Evaluations, seeds: int) -> Tested:
        """What models are compared by in the registry."""
        return Tested(self.summary.config.name, self.trial, self.config.max_epochs, seeds)

    def save(
        self,
        checkpoint: Path,
        confirmation: Confirmation | None,
        evaluations: Evaluations,
        test_reads: int,
    ) -> Path:
        """Save the model of a checkpoint as an MLflow model folder.

        Args:
            checkpoint: of the training.
            confirmation: that chose the trial, if there was one.
            evaluations: of all seeds.
            test_reads: retrainings that have read the test set.

        Raises:
            NotSaved: it cannot be served.
            UserError: the checkpoint cannot be read.
        """
        raise NotSaved(f"what {self.config.objective} makes of its checkpoint is known to its author")
