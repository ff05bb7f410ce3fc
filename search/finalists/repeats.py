"""Training configurations again with fresh seeds: a small sweep over seeds, through the same driver.

So it runs in parallel, shows in MLflow and survives a crash just as the sweep did that found them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from optuna.distributions import IntDistribution
from pydantic import ValidationError

from cifar_cnn.config import TrainConfig
from cifar_cnn.objective import train_reporting
from search.cifar import OBJECTIVE, check_unchanged
from search.config.definition import Definition
from search.config.goals import Goal
from search.config.model import one_line
from search.config.names import NAME_RULE
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.objective.context import TrialContext
from search.results.leaderboard import cause
from search.results.summary import SweepSummary
from search.study.records import Outcome, TrialRecord, not_retried
from spaces.space import SearchSpace

# Sweeps seed trial n with seed + n, below this; what was picked for its luck with one seed meets others.
_FRESH_SEEDS = 2**32
_SEEDS_AN_ARM = 1000  # so far apart are the seeds of two configurations
MOST_SEEDS = _SEEDS_AN_ARM

Kind = Literal["confirm", "retrain"]
# Seeds of one kind are never those of the other, though they train on different images anyway.
_KIND_SEEDS: dict[Kind, int] = {"confirm": 0, "retrain": 2**20}


def to_repeat_here(summary: SweepSummary, places: Mapping[str, Any]) -> SweepSummary:
    """A sweep whose trials are to be trained again, on the data that it had, where it is asked for now.

    Args:
        summary: of the sweep.
        places: fields of `SweepConfig` that are to differ from the sweep's.

    Raises:
        UserError: a value is wrong, or the data are missing or have changed.
    """
    try:
        config = SweepConfig.model_validate({**dict(summary.config), **places})
    except ValidationError as error:
        raise UserError(one_line(error)) from error
    # The space may change: what it offers next says nothing of configurations that were found in it.
    check_unchanged(config.model_copy(update={"space_source": None}))
    return dataclasses.replace(summary, config=config)


def repeats_config(
    summary: SweepSummary, kind: Kind, label: str, arms: Sequence[TrialRecord], seeds: int, max_epochs: int
) -> SweepConfig:
    """The sweep that trains some trials' configurations again, each with so many fresh seeds.

    Args:
        summary: of the sweep that they come from.
        kind: 'confirm' trains on the sweep's own split, 'retrain' on training and validation images.
        label: what tells it from others of its kind; ends its name.
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
        raise UserError(f"`seeds={seeds}`: train with 1 to {MOST_SEEDS}")
    run = config.run_settings().model_copy(
        update={
            "trials": len(arms) * seeds,
            "budget": None,
            "time_budget": None,
            # The saved model is the first seed's: it stays, whatever is asked for later.
            "keep_checkpoints": MOST_SEEDS if kind == "retrain" else 1,
            "sweeps_dir": config.folder / kind,
            "space_source": None,
        }
    )
    return SweepConfig.of(
        _repeats(config, kind, arms, seeds, max_epochs),
        run,
        name=_name(config.name, f"{kind}-{label}"),
        kind=kind,
        tags={"sweep.of": config.name, "sweep.of_id": summary.sweep_id},
    )


def _repeats(
    config: SweepConfig, kind: Kind, arms: Sequence[TrialRecord], seeds: int, max_epochs: int
) -> Definition:
    """Each configuration with each fresh seed: a grid, of which nothing is pruned."""
    # A retraining may be given more seeds later; a comparison of finalists is what it was begun as.
    most = seeds if kind == "confirm" else MOST_SEEDS
    # A training's result; one on all but the test images has none left to validate on.
    goal = Goal("train_acc", "maximize") if kind == "retrain" else config.goal
    return Definition(
        space=SearchSpace(
            name="seeds",
            description="Each configuration with each fresh seed.",
            parameters={
                "arm": IntDistribution(0, len(arms) - 1),
                "repeat": IntDistribution(0, most - 1),
            },
        ),
        objective="search.finalists.repeats:train_repeat",
        settings={
            **config.settings,
            "kind": kind,
            "arms": [config.configuration(record.params) for record in arms],
        },
        dataset=config.dataset,
        metric=goal.metric,
        direction=goal.direction,
        max_epochs=max_epochs,
        sampler="grid",
        pruner="none",
        seed=config.seed,
    )


def failure_summary(records: Sequence[TrialRecord]) -> str:
    """What failed and was not trained again, by reason, with an error of each; empty if nothing did.

    `2 failed, oom (no room); 1 diverged (val_loss is nan)`
    """
    by_reason: dict[str, list[TrialRecord]] = {}
    for record in not_retried(records):
        if record.outcome in (Outcome.FAILED, Outcome.DIVERGED):
            by_reason.setdefault(str(record.stop_reason), []).append(record)
    parts = []
    for reason, failed in by_reason.items():
        how = reason if failed[0].outcome is Outcome.DIVERGED else f"failed, {reason}"
        parts.append(f"{len(failed)} {how} ({cause(failed[0].error or '')})")
    return "; ".join(parts)


def _name(sweep: str, what: str) -> str:
    """`night.confirm-007-002-x3`; where that is too long for a name, both beginnings and a digest of it."""
    full = f"{sweep}.{what}"
    if NAME_RULE.fullmatch(full):
        return full
    digest = hashlib.blake2b(full.encode(), digest_size=4).hexdigest()
    return f"{sweep[:20]}.{what[:30]}-{digest}"


def train_repeat(params: Mapping[str, Any], context: TrialContext) -> None:
    """The objective: train one of the configurations with one of the fresh seeds."""
    kind, arm = context.settings["kind"], params["arm"]
    seed = _FRESH_SEEDS + _KIND_SEEDS[kind] + _SEEDS_AN_ARM * arm + params["repeat"]
    config = TrainConfig(**context.settings["arms"][arm], max_epochs=context.max_epochs, seed=seed)
    train_reporting(config, context, train_on="train+val" if kind == "retrain" else "train")
