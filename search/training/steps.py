"""What a module logs, told apart by what it is of: a step, a validation between steps, or an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from search.objective.context import Steps

OF_STEP = "_step"  # Lightning's own, of what is logged both by step and by epoch


class StepLog:
    """A Lightning logger that keeps what is logged by step until it is reported.

    What is logged by epoch is reported from Lightning's `callback_metrics`.

    Attributes:
        within_steps: whether a step has just ended: Lightning does not tell a logger.

    Example:
        >>> log = StepLog()
        >>> log.within_steps = True
        >>> log.log_metrics({"train_loss": 0.5, "epoch": 0}, step=49)
        >>> log.take()
        {'train_loss_step': [(49, 0.5)]}
    """

    name = "trial"  # of folders that Lightning's own callbacks make
    version = "0"

    def __init__(self) -> None:
        super().__init__()
        self.within_steps = False
        self._steps: dict[str, dict[int, float]] = {}
        self._validation: tuple[Mapping[str, float], int] = ({}, 0)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep them, if they are of a step, or of a validation that may not be its epoch's last."""
        values = {name: value for name, value in metrics.items() if name != "epoch"}
        # Lightning gives an epoch's number along; a callback that logs by itself, such as of the learning
        # rate, does not.
        if self.within_steps or "epoch" not in metrics:
            self._keep(values, step or 0)
        else:
            self._validation = values, step or 0

    @property
    def experiment(self) -> Nowhere:
        """For modules that draw pictures in a logger of their own choice: it takes all and keeps nothing."""
        return Nowhere()

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """The driver knows them."""

    def training_goes_on(self) -> None:
        """The last validation was one between two steps."""
        self._keep(*self._validation)
        self._validation = {}, 0

    def take(self) -> Steps:
        """What was logged by step since the last time, in the order of the steps."""
        taken = {name: sorted(points.items()) for name, points in self._steps.items()}
        self._steps, self._validation = {}, ({}, 0)
        return taken

    def _keep(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            name = name if name.endswith(OF_STEP) else f"{name}{OF_STEP}"
            self._steps.setdefault(name, {})[step] = float(value)


class Nowhere:
    """Takes every call.

    Example:
        >>> Nowhere().add_image("batch", [0.0]).close()
        Nowhere()
    """

    def __getattr__(self, name: str) -> Self:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return "Nowhere()"
