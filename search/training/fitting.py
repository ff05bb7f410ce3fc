"""One training of a LightningModule as a trial: with Lightning's Trainer, leaving its process as it was."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from search.objective.context import TrialContext
from search.training.manners import left_as_found
from search.training.package import lightning_of
from search.training.reporting import Reporting
from search.training.settings import CHECKPOINT_FILE
from search.training.steps import StepLog
from search.training.trainer_options import check_options


def fit_trial(
    context: TrialContext,
    module: Any,
    data: Any = None,
    *,
    max_epochs: int | None = None,
    callbacks: Sequence[Any] = (),
    trainer: Mapping[str, Any] | None = None,
    checkpoint_every_n_epochs: int = 1,
    checkpoint_every_s: float = 0.0,
) -> None:
    """Train a LightningModule as a trial, from its checkpoint if it has one: for one's own training function.

    Args:
        context: the trial, as the training function gets it.
        module: a LightningModule of `pytorch_lightning` or of `lightning.pytorch`.
        data: a LightningDataModule; None: the module has its own loaders.
        max_epochs: epochs of a whole training; by default as many as the trial may report.
        callbacks: Lightning callbacks, of the same package.
        trainer: further options of Lightning's Trainer.
        checkpoint_every_n_epochs: reports between checkpoints.
        checkpoint_every_s: seconds between checkpoints, at least.

    Raises:
        TrialStopped: the trial was pruned or frozen, or the sweep stops: let it through.
        TypeError: the module is no LightningModule.
        ValueError: the sweep decides an option; nothing is validated; the sweep's metric was not logged.
    """
    check_options(trainer or {})
    with left_as_found(context.cpus, context.gpus):
        train(
            context,
            module,
            data,
            context.max_epochs if max_epochs is None else max_epochs,
            callbacks,
            trainer or {},
            every_n_epochs=checkpoint_every_n_epochs,
            every_s=checkpoint_every_s,
        )


def train(
    context: TrialContext,
    module: Any,
    data: Any,
    max_epochs: int,
    callbacks: Sequence[Any],
    trainer: Mapping[str, Any],
    *,
    every_n_epochs: int = 1,
    every_s: float = 0.0,
    validated: bool = True,
    accelerator: str | None = None,
) -> None:
    """As `fit_trial`, where the options are checked and the process is left as it was found by the caller.

    Args:
        validated: whether there has to be a validation, which a report is of; else every epoch is reported.
        accelerator: as of Lightning's Trainer; by default a GPU if the trial has one, else the CPU.
    """
    lightning = lightning_of(module)
    environments = importlib.import_module(f"{lightning.__name__}.plugins.environments")
    steps = _of(lightning.loggers.Logger, StepLog)()
    checkpoint = _of(lightning.callbacks.Checkpoint, Reporting)
    reporting = checkpoint(context, steps, every_n_epochs, every_s, validated)
    fit = lightning.Trainer(
        **{"num_sanity_val_steps": 0, **trainer},
        accelerator=accelerator or _accelerator(context),
        devices=1,
        max_epochs=max_epochs,
        logger=steps,
        callbacks=[*callbacks, reporting],
        # A worker inside a Slurm job is no Slurm task: without this Lightning checks ranks and requeues.
        plugins=[environments.LightningEnvironment()],
        default_root_dir=context.scratch,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    resume_from = None if context.checkpoint is None else context.checkpoint / CHECKPOINT_FILE
    # Of a training with a line for each epoch, and of loaders that the user has chosen.
    warnings.filterwarnings("ignore", "The number of training batches", UserWarning)
    warnings.filterwarnings("ignore", "The '.*_dataloader' does not have many workers", UserWarning)
    if not validated:
        warnings.filterwarnings("ignore", "Total length of `list` across ranks is zero", UserWarning)
    # The sweep wrote the checkpoint itself. A user's callbacks and hyperparameters may hold any object.
    fit.fit(module, datamodule=data, ckpt_path=resume_from, weights_only=False)
    if reporting.stopped is not None:
        raise reporting.stopped


def _accelerator(context: TrialContext) -> str:
    """A GPU if the trial was given one.

    Raises:
        ValueError: torch sees none.
    """
    if context.gpus == 0:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        raise ValueError(
            f"the trial has {context.gpus:g} GPUs and torch sees none: install a build of torch for them, or "
            "train on the CPU with `gpus_per_trial=0`"
        )
    return "gpu"


def _of(lightning_class: type, own: type) -> Any:
    """A class of ours made one of this Lightning package."""
    return type(own.__name__, (own, lightning_class), {})
