"""Reports a Lightning training as a trial: one report a validated epoch, with Lightning's own checkpoint."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from search.objective.context import TrialContext, TrialStopped
from search.training.manners import seed_everything
from search.training.settings import CHECKPOINT_FILE
from search.training.steps import OF_STEP, StepLog


class Reporting:
    """A Lightning callback, of the kind that comes after all others: see `fit_trial`.

    Random generators are seeded anew at each epoch, by the trial's seed and the epoch. So a training that
    goes on from a checkpoint draws what it would have drawn, and no generator's state has to be saved.

    Args:
        context: the trial.
        steps: the logger of the same training.
        every_n_epochs: reports between checkpoints.
        every_s: seconds between checkpoints, at least.
        validated: whether only validated epochs are reported, and there have to be some.

    Example:
        >>> context = TrialContext(max_epochs=3, scratch=Path("scratch"), on_report=print)
        >>> Reporting(context, StepLog(), every_n_epochs=1, every_s=0.0, validated=True).stopped is None
        True
    """

    def __init__(
        self, context: TrialContext, steps: StepLog, every_n_epochs: int, every_s: float, validated: bool
    ) -> None:
        super().__init__()
        self.stopped: TrialStopped | None = None  # the trial is to end; Lightning is asked to
        self._context = context
        self._steps = steps
        self._every_n_epochs, self._every_s = every_n_epochs, every_s
        self._saved_at = time.monotonic()
        self._only_validated = validated
        self._validated = False  # since the last report
        self._resumes = context.checkpoint is not None
        self._unfinished: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """What is left to do of the epoch: Lightning does it after it has saved, and not when it resumes."""
        return dict(self._unfinished)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take that up."""
        self._unfinished = state

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Do what the last epoch before the checkpoint has left to do."""
        if self._only_validated and not trainer.enable_validation:
            raise ValueError(
                "nothing would be validated: there is no val_dataloader or no validation_step, or "
                "limit_val_batches is 0; a sweep compares its trials by validation, so define both"
            )
        if not self._resumes:
            return
        trainer.should_stop = self._unfinished["should_stop"]
        for config in trainer.lr_scheduler_configs:
            due = config.interval == "epoch" and trainer.current_epoch % config.frequency == 0
            monitored = self._unfinished["metrics"].get(config.monitor)
            if due and config.reduce_on_plateau and monitored is not None:
                config.scheduler.step(monitored)

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        """Seed the epoch: first the order of its batches, which the loader's iterator draws."""
        self._seed("loaders", trainer)
        if self._resumes:
            # Lightning has made the first iterator before any hook runs; that of an epoch which follows
            # another in the same process is made after this one.
            iter(trainer.fit_loop._data_fetcher)
            self._resumes = False

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        """Seed what the steps draw."""
        if batch_idx == 0:
            self._seed("steps", trainer)
        if self._validated:  # within the epoch: its last validation is still to come
            self._steps.training_goes_on()

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        """What is logged now is of this step."""
        self._steps.within_steps = True

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        """What is logged from now on is of no training step."""
        self._steps.within_steps = False

    def on_validation_batch_end(self, trainer: Any, *args: Any) -> None:
        """What is logged now is of this step of the validation."""
        self._steps.within_steps = not trainer.sanity_checking

    def on_validation_epoch_end(self, trainer: Any, module: Any) -> None:
        """What is logged from now on is of the whole validation."""
        self._steps.within_steps = False
        self._validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Report the epoch, if it was validated; a checkpoint of this moment resumes with the next."""
        self._steps.within_steps = False
        if self.stopped or (self._only_validated and not self._validated):
            return
        self._validated = False
        epoch = self._context.epochs_done + 1
        steps = self._steps.take()
        logged = {name: _decimal(value) for name, value in trainer.callback_metrics.items()}
        self._unfinished = {"should_stop": trainer.should_stop, "metrics": logged}
        metrics = {
            name: value for name, value in logged.items() if name not in steps and not _forked(name, logged)
        }
        folder = self._save(trainer) if self._is_due(epoch) else None
        try:
            self._context.report(epoch, metrics, folder, steps=steps)
        except TrialStopped as stopped:
            # Lightning ends as it does for early stopping: callbacks, loaders and loggers are closed.
            self.stopped = stopped
            trainer.should_stop = True
            trainer.fit_loop.min_epochs = trainer.fit_loop.epoch_loop.min_steps = None
        finally:
            if folder is not None:
                shutil.rmtree(folder)

    def _is_due(self, epoch: int) -> bool:
        if epoch in (self._context.max_epochs, self._context.freezes_at):
            return True
        in_time = time.monotonic() - self._saved_at >= self._every_s
        return in_time and epoch % self._every_n_epochs == 0

    def _save(self, trainer: Any) -> Path:
        folder = self._context.scratch / "checkpoint"
        folder.mkdir()
        trainer.save_checkpoint(folder / CHECKPOINT_FILE, weights_only=False)
        self._saved_at = time.monotonic()
        return folder

    def _seed(self, purpose: str, trainer: Any) -> None:
        seed_everything(purpose, self._context.seed, trainer.current_epoch)


def _decimal(value: Any) -> float:
    """A metric as it was logged: Lightning keeps 0.1 in single precision, as 0.10000000149."""
    number = value.item()
    return float(number if value.element_size() > 4 else str(np.float32(number)))


def _forked(name: str, logged: Mapping[str, float]) -> bool:
    """Whether it is the last step's value of what is logged by epoch, too."""
    return name.endswith(OF_STEP) and name.removesuffix(OF_STEP) in logged
