"""The training function of a sweep whose trials are LightningModules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.config.sweep_config import SweepConfig
from search.objective.context import OnReport, Steps, TrialContext
from search.objective.reference import load_callable
from search.training.arguments import arguments_for
from search.training.settings import KEY, LightningSettings

EPOCHS = "epochs"  # the metric of a training without validation: how many there were


@dataclass(frozen=True)
class LightningObjective:
    """Builds a module and its data from a trial's parameters, and trains them.

    Attributes:
        module: a LightningModule's class, or a function that returns one.
        data: the same of its data; None: the module has its own loaders.
        callbacks: returns Lightning callbacks for one training.
        settings: how it is trained.

    Example:
        >>> def module(lr): ...
        >>> LightningObjective(module, None, None, LightningSettings(max_epochs=3)).settings.max_epochs
        3
    """

    module: Callable[..., Any]
    data: Callable[..., Any] | None
    callbacks: Callable[[], Any] | None
    settings: LightningSettings

    @classmethod
    def of(cls, config: SweepConfig) -> LightningObjective:
        """The training function of a sweep.

        Raises:
            UserError: the module, its data or its callbacks are not there.
        """
        settings = LightningSettings.of(config.settings)
        module = load_callable(config.objective, config.objective_place)
        data, callbacks = (
            None if name is None else load_callable(name, config.paths.get(name))
            for name in (settings.data, settings.callbacks)
        )
        return cls(module, data, callbacks, settings)

    def makers(self) -> list[Callable[..., Any]]:
        """What the user has written."""
        return [each for each in (self.module, self.data, self.callbacks) if each is not None]

    def __call__(self, params: Mapping[str, Any], context: TrialContext) -> None:
        """Train a trial.

        Raises:
            Exception: as `fit_trial`, and whatever the user's classes raise.
        """
        from search.training.fitting import train
        from search.training.manners import left_as_found, seed_everything

        how = self.settings
        if not how.validates:
            context.on_report = _counting(context.on_report)
        with left_as_found(context.cpus, context.gpus):
            seed_everything("weights", context.seed)
            module, data = self.build(params, context.seed)
            train(
                context,
                module,
                data,
                how.max_epochs,
                list(self.callbacks()) if self.callbacks else [],
                how.trainer,
                every_n_epochs=how.checkpoint_every_n_epochs,
                every_s=how.checkpoint_every or 0.0,
                validated=how.validates,
            )

    def build(self, params: Mapping[str, Any], seed: int) -> tuple[Any, Any]:
        """A trial's module and its data; None where the module has its own loaders.

        Raises:
            Exception: whatever the user's classes raise.
        """
        makers = [self.module] if self.data is None else [self.module, self.data]
        values = {"seed": seed, "max_epochs": self.settings.max_epochs, **params}
        module, data, *_ = *(maker(**arguments_for(maker, makers, values)) for maker in makers), None
        return module, data


def _counting(report: OnReport) -> OnReport:
    """Reports the epoch as a metric, too: what is compared where there is no validation."""

    def counted(epoch: int, metrics: Mapping[str, float], checkpoint: Path | None, steps: Steps) -> None:
        report(epoch, {**metrics, EPOCHS: epoch}, checkpoint, steps)

    return counted


def is_lightning(config: SweepConfig) -> bool:
    """Whether a sweep's trials are LightningModules that it builds itself."""
    return KEY in config.settings
