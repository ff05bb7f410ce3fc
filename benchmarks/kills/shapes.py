"""The kinds of sweeps that are killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.kills.formula import PARAMETERS, learn
from search.config.sweep_config import SweepConfig
from search.objective.reference import objective_reference
from spaces.space import SearchSpace

TRIALS = 8
_TRAINING_S = 0.4  # of a trial of the formula that is not pruned


@dataclass(frozen=True)
class Shape:
    """What is killed.

    Attributes:
        slots: trials at a time, each in a worker of its own.
        epochs: of a trial that is not stopped.
        trainings: the budget, where trials are frozen; None: the size is in trials.
        lightning: whether the trials are LightningModules, whose loaders have workers; else a formula.
    """

    slots: int
    epochs: int
    trainings: int | None = None
    lightning: bool = False


_FORMULA = (Shape(1, 4), Shape(2, 27, 8), Shape(2, 4), Shape(1, 27, 8), Shape(1, 27), Shape(2, 27))
# An epoch takes some tenths of a second, most of it for the start of four loaders' workers.
_LIGHTNING = (
    Shape(1, 4, lightning=True),
    Shape(2, 9, 8, lightning=True),
    Shape(2, 4, lightning=True),
    Shape(1, 9, 8, lightning=True),
)
SHAPES = {"formula": _FORMULA, "lightning": _LIGHTNING}


def config_of(shape: Shape, folder: Path, log: Path) -> SweepConfig:
    """The sweep of a shape.

    Args:
        shape: its kind.
        folder: where all of it lies.
        log: where the epochs that begin are written down.
    """
    fields: dict[str, Any] = {
        "name": "kills",
        "max_epochs": shape.epochs,
        "concurrency": shape.slots,
        "keep_checkpoints": 1,
        "max_attempts": 100,  # a worker is killed again and again here
        "sweeps_dir": folder / "sweeps",
        "tracking_uri": f"sqlite:///{folder / 'mlflow.db'}",
        **_method(shape),
    }
    if not shape.lightning:
        settings = {"log": str(log), "epoch_s": _TRAINING_S / shape.epochs}
        return SweepConfig(
            space=_space({}), objective=objective_reference(learn), settings=settings, **fields
        )
    from benchmarks.kills.network import Network, Points
    from search.lightning import lightning_sweep

    space, each_step = _space({"log": str(log)}), {"log_every_n_steps": 1}
    return lightning_sweep(Network, Points, space=space, metric="val_acc", trainer=each_step, **fields).config


def _space(fixed: dict[str, Any]) -> SearchSpace:
    return SearchSpace(name="kills", description="Two parameters.", parameters=PARAMETERS, fixed=fixed)


def _method(shape: Shape) -> dict[str, Any]:
    """By name where trials are frozen: of a space as small as this one `auto` would choose otherwise."""
    if shape.trainings is None:
        return {"trials": TRIALS}
    return {"budget": f"{shape.trainings}x", "sampler": "curves", "pruner": "promotion"}
