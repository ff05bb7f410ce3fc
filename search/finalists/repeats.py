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
from search.cifar.objective import train_reporting
from search.cifar.sweep import OBJECTIVE, check_unchanged
from search.config.definition import Definition
from search.config.goals import Goal
from search.config.model import one_line
from search.config.names import NAME_RULE
from search.config.run_settings import RunSettings
from search.config.sweep_config import SweepConfig
from search.driver import SweepResult, run_sweep
from search.errors import UserError
from search.lightning import found_maker, places
from search.objective.context import Objective, TrialContext
from search.objective.reference import load_objective, objective_reference
from search.objective.repeated import ARM, ARMS, KIND, MOST_SEEDS, REPEAT, REPEATS, Repeated
from search.policy.racing import RACE
from search.results.leaderboard import cause
from search.results.summary import SweepSummary
from search.study.records import Outcome, TrialRecord, not_retried
from search.training.objective import EPOCHS, LightningObjective, is_lightning
from search.training.settings import KEY, LightningSettings
from search.training.trainer_options import reports
from spaces.space import SearchSpace

# Sweeps seed trial n with seed + n, below this; what was picked for its luck with one seed meets others.
_FRESH_SEEDS = 2**32

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
    summary: SweepSummary,
    kind: Kind,
    label: str,
    arms: Sequence[TrialRecord],
    seeds: int,
    max_epochs: int | None = None,
    all_data: str | None = None,
) -> SweepConfig:
    """The sweep that trains some trials' configurations again, each with fresh seeds.

    Args:
        summary: of the sweep that they come from.
        kind: 'confirm' trains on the sweep's own split, as a race; 'retrain' trains CNNs on training and
            validation images, and others on `all_data`.
        label: what tells it from others of its kind; ends its name.
        arms: the trials.
        seeds: trainings of each; of a race, on average at most.
        max_epochs: epochs of each training; by default the sweep's.
        all_data: name of the LightningDataModule to retrain on, as `module:name`; by default the sweep's.

    Raises:
        UserError: it cannot train so many seeds, or on other data.
    """
    config = summary.config
    if all_data is not None and not is_lightning(config):
        raise UserError(
            f"`data={all_data}`: sweep {config.name!r} trains {config.objective}, which chooses its data"
        )
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"`seeds={seeds}`: train with 1 to {MOST_SEEDS}")
    run = config.run_settings().model_copy(
        update={
            "trials": len(arms) * seeds,
            "budget": None,
            "time_budget": None,
            "core_hours": None,
            "gpu_hours": None,
            "stop_when": None,
            "finish": False,
            # The saved model is the first seed's: it stays, whatever is asked for later.
            "keep_checkpoints": MOST_SEEDS if kind == "retrain" else 1,
            "sweeps_dir": config.folder / kind,
            "space_source": None,
        }
    )
    definition = _repeats(config, kind, arms)
    if is_lightning(config):
        definition, run = _of_modules(definition, run, max_epochs, all_data)
    elif max_epochs is not None:
        definition = definition.model_copy(update={"max_epochs": max_epochs})
    return SweepConfig.of(
        definition,
        run,
        name=_name(config.name, f"{kind}-{label}"),
        kind=kind,
        tags={"sweep.of": config.name, "sweep.of_id": summary.sweep_id},
    )


def _repeats(config: SweepConfig, kind: Kind, arms: Sequence[TrialRecord]) -> Definition:
    """Each configuration with fresh seeds, of which there may be more later; nothing is pruned."""
    of_images = config.objective == OBJECTIVE
    repeats = {KIND: kind, ARMS: [config.configuration(record.params) for record in arms]}
    # A training's result; one on all but the test images has none left to validate on.
    goal = Goal("train_acc", "maximize") if of_images and kind == "retrain" else config.goal
    return Definition(
        space=SearchSpace(
            name="seeds",
            description="Each configuration with each fresh seed.",
            parameters={
                ARM: IntDistribution(0, len(arms) - 1),
                REPEAT: IntDistribution(0, MOST_SEEDS - 1),
            },
        ),
        objective="search.finalists.repeats:train_repeat" if of_images else config.objective,
        settings={**config.settings, **(repeats if of_images else {REPEATS: repeats})},
        dataset=config.dataset,
        metric=goal.metric,
        direction=goal.direction,
        max_epochs=config.max_epochs,
        sampler=RACE if kind == "confirm" else "grid",
        pruner="none",
        seed=config.seed,
    )


def _of_modules(
    definition: Definition, run: RunSettings, max_epochs: int | None, all_data: str | None
) -> tuple[Definition, RunSettings]:
    """The same for LightningModules: their epochs may not all be validated, and other data may have none."""
    changes: dict[str, Any] = {}
    if max_epochs is not None:
        changes["max_epochs"] = max_epochs
    goal = definition.goal
    if all_data is not None:
        maker = found_maker(all_data)
        changes |= {"data": objective_reference(maker), "validates": False}
        run = run.model_copy(update={"paths": {**run.paths, **places(maker)}})
        goal = Goal(EPOCHS, "maximize")
    settings = LightningSettings.of(definition.settings).model_copy(update=changes)
    epochs = reports(settings.max_epochs, settings.trainer) if settings.validates else settings.max_epochs
    return (
        definition.model_copy(
            update={
                "settings": {**definition.settings, KEY: settings.model_dump(mode="json")},
                "metric": goal.metric,
                "direction": goal.direction,
                "max_epochs": epochs,
            }
        ),
        run,
    )


def run_repeats(config: SweepConfig, *, retry_failed: bool) -> SweepResult:
    """Train what is left to train of a confirmation or a retraining.

    Raises:
        Exception: as `run_sweep`.
    """
    return run_sweep(config, repeated(config), retry_failed=retry_failed)


def repeated(config: SweepConfig) -> Objective | None:
    """The training function of a confirmation or a retraining; None: it is found by its name."""
    if config.objective.partition(":")[0] == __name__:
        return None
    if is_lightning(config):
        return Repeated(LightningObjective.of(config))
    return Repeated(load_objective(config.objective, config.objective_place))


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
    kind, arm = context.settings[KIND], params[ARM]
    # The same for all arms: they meet the same data order, and their luck is more alike.
    seed = _FRESH_SEEDS + _KIND_SEEDS[kind] + params[REPEAT]
    config = TrainConfig(**context.settings[ARMS][arm], max_epochs=context.max_epochs, seed=seed)
    train_reporting(config, context, train_on="train+val" if kind == "retrain" else "train")
