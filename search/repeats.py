"""Training configurations again with fresh seeds: a small sweep over seeds, through the same driver.

So it runs in parallel, shows in MLflow and survives a crash just as the sweep did that found them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from optuna.distributions import IntDistribution

from cifar_cnn.config import DataConfig, TrainConfig
from search.cifar_sweep import OBJECTIVE
from search.comparison import SweepSummary
from search.config import SweepConfig
from search.errors import UserError
from search.objective import TrialContext
from search.records import TrialRecord
from spaces.space import SearchSpace

# Sweeps seed trial n with seed + n, below this; what was picked for its luck with one seed meets others.
_FRESH_SEEDS = 2**32
_SEEDS_AN_ARM = 1000  # so far apart are the seeds of two configurations
MOST_SEEDS = _SEEDS_AN_ARM

Kind = Literal["confirm", "retrain"]
# Seeds of one kind are never those of the other, though they train on different images anyway.
_KIND_SEEDS: dict[Kind, int] = {"confirm": 0, "retrain": 2**20}


def repeats_config(
    summary: SweepSummary, kind: Kind, name: str, arms: Sequence[TrialRecord], seeds: int, max_epochs: int
) -> SweepConfig:
    """The sweep that trains some trials' configurations again, each with so many fresh seeds.

    Args:
        summary: of the sweep that they come from.
        kind: 'confirm' trains on the sweep's own split, 'retrain' on training and validation images.
        name: of the new sweep, below the old one's.
        arms: the trials.
        seeds: trainings of each.
        max_epochs: epochs of each training.

    Raises:
        UserError: this sweep trains something that is not ours to train again, or so many seeds.
    """
    config = summary.config
    if config.objective != OBJECTIVE:
        raise UserError(
            f"sweep {config.name!r} trains {config.objective}, which only its author can train again: "
            f"the best parameters are {dict(arms[0].params)}"
        )
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"--seeds {seeds}: train with 1 to {MOST_SEEDS}")
    # A retraining may be given more seeds later; a comparison of finalists is what it was begun as.
    most = seeds if kind == "confirm" else MOST_SEEDS
    return config.model_copy(
        update={
            "name": name,
            "kind": kind,
            "tags": {"sweep.of": config.name, "sweep.of_id": summary.sweep_id},
            "sweeps_dir": config.folder / kind,
            "space": SearchSpace(
                name="seeds",
                description="Each configuration with each fresh seed.",
                parameters={
                    "arm": IntDistribution(0, len(arms) - 1),
                    "repeat": IntDistribution(0, most - 1),
                },
            ),
            "space_source": None,
            "objective": "search.repeats:train_repeat",
            "settings": {
                **config.settings,
                "kind": kind,
                "arms": [config.configuration(record.params) for record in arms],
            },
            "max_epochs": max_epochs,
            "sampler": "grid",
            "sampler_args": {},
            "pruner": "none",
            "pruner_args": {},
            "trials": len(arms) * seeds,
            "keep_checkpoints": seeds if kind == "retrain" else 1,
            "time_budget_s": None,
            "checkpoint_uri": config.checkpoint_uri and f"{config.checkpoint_uri}/{name}",
            **_goal(config, kind),
        }
    )


def _goal(config: SweepConfig, kind: Kind) -> dict[str, str]:
    """A training's result; one on all but the test images has none left to validate on."""
    if kind == "retrain":
        return {"metric": "train_acc", "direction": "maximize"}
    return {"metric": config.metric, "direction": config.direction}


def train_repeat(params: Mapping[str, Any], context: TrialContext) -> None:
    """The objective: fit one of the configurations with one of the fresh seeds."""
    from cifar_cnn.train import EpochReport, fit

    settings = context.settings
    first = _FRESH_SEEDS + _KIND_SEEDS[settings["kind"]] + _SEEDS_AN_ARM * params["arm"]
    config = TrainConfig(
        **settings["arms"][params["arm"]], max_epochs=context.max_epochs, seed=first + params["repeat"]
    )

    def report(epoch: EpochReport) -> None:
        epoch.save(context.scratch)
        context.report(epoch.epoch, epoch.metrics, context.scratch)

    fit(
        config,
        DataConfig(**settings["data"]),
        on_epoch=report,
        checkpoint=context.checkpoint,
        train_on="train+val" if settings["kind"] == "retrain" else "train",
        threads=max(1, int(context.cpus)),
    )
