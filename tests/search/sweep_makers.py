"""Small sweeps for the tests of this floor: spaces, configurations, epochs, ledgers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from search.config.goals import Goal
from search.config.run_settings import RENAMED
from search.config.sweep_config import SweepConfig
from search.policy.making import make_policy
from search.study.ledger import Ledger
from search.study.promotion import Promotion, Thaw
from search.study.records import Epoch, StopReason, TrialRecord
from search.study.transitions import TrialEnd
from spaces.space import Condition, SearchSpace

FLAT = SearchSpace(
    name="flat",
    description="Two numbers.",
    parameters={"depth": IntDistribution(1, 3), "lr": FloatDistribution(1e-3, 1.0, log=True)},
    fixed={"optimizer": "sgd"},
)
CONDITIONAL = SearchSpace(
    name="conditional",
    description="Momentum for one of two optimizers.",
    parameters={
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "lr": FloatDistribution(1e-3, 1.0, log=True),
        "momentum": FloatDistribution(0.8, 0.99),
    },
    conditions={"momentum": Condition("optimizer", "sgd")},
)
DISCRETE = SearchSpace(
    name="discrete",
    description="Six points.",
    parameters={"depth": IntDistribution(1, 3), "optimizer": CategoricalDistribution(["sgd", "adamw"])},
)

MAXIMIZE = Goal("val_acc", "maximize")
MINIMIZE = Goal("val_acc", "minimize")


def sweep_config(sweeps_dir: Path = Path("nowhere"), **fields: Any) -> SweepConfig:
    """A sweep of 4 trials and 3 epochs, in which each field can be given another value."""
    defaults: dict[str, Any] = {
        "name": "try",
        "space": FLAT,
        "objective": "package.module:function",
        "max_epochs": 3,
        "trials": 4,
        "sampler": "random",
        "pruner": "none",
        "sweeps_dir": sweeps_dir,
    }
    return SweepConfig(**{**defaults, **fields})


def of_version_1(saved: dict[str, Any]) -> dict[str, Any]:
    """What `sweep.json` holds, as the first version wrote it."""
    old_names = {new: old for old, new in RENAMED.items()}
    run = {old_names.get(key, key): value for key, value in saved["run"].items()}
    rest = {key: value for key, value in saved.items() if key not in ("definition", "run")}
    definition = {key: value for key, value in saved["definition"].items() if key != "version"}
    return {**rest, **definition, **run, "version": 1}


def epoch(number: int, val_acc: float = 0.5, **fields: Any) -> Epoch:
    """A finished epoch that took two seconds."""
    metrics = {"val_acc": val_acc, "epoch_s": 2.0}
    defaults: dict[str, Any] = {"metrics": metrics, "timestamp_ms": 1000 * number, "worker": "host:1"}
    return Epoch(epoch=number, **{**defaults, **fields})


def open_ledger(
    config: SweepConfig, storage: BaseStorage | None = None, promotion: Promotion | None = None
) -> Ledger:
    """A sweep's ledger, over a study in memory if there is no storage."""
    policy = make_policy(config)
    if promotion is not None:
        policy = dataclasses.replace(policy, promotion=promotion)
    return Ledger.open(config, storage or InMemoryStorage(), policy)


PRUNES_BELOW_HALF: dict[str, Any] = {
    "pruner": "threshold",
    "pruner_args": {"lower": 0.5, "n_warmup_steps": 0},
}


def started(ledger: Ledger) -> TrialRecord:
    """A new trial that a worker has taken."""
    return ledger.start(ledger.ask().number)


def prune(ledger: Ledger, number: int) -> None:
    """End a trial as a pruner does, whatever pruner the sweep has."""
    ledger._finish(number, TrialEnd(StopReason.PRUNED))


def run_trial(ledger: Ledger, values: Sequence[float]) -> TrialRecord:
    """Ask for a trial and report these values, one an epoch, to its end."""
    number = started(ledger).number
    for position, value in enumerate(values, 1):
        ledger.report(number, epoch(position, value))
    return ledger.complete(number)


def freezing(ledger: Ledger, max_epochs: int, most: int | None = None) -> None:
    """Do what a free slot does, one at a time, to the sweep's end or for so many choices.

    The higher a trial's number the better it gets; its checkpoints are kept.
    """
    made = 0
    while (most is None or made < most) and (choice := ledger.choose()):
        number = (ledger.thaw(choice) if isinstance(choice, Thaw) else ledger.ask(choice)).number
        trained = len(ledger.start(number).epochs)
        for position in range(trained + 1, (choice.until or max_epochs) + 1):
            value = round(0.3 + number / 100 + position / 1000, 4)
            moment = 1000 * (1 + len(ledger.records()))
            ledger.report(
                number, epoch(position, value, timestamp_ms=moment, checkpoint=f"{number}/{position}")
            )
        if choice.until is None:
            ledger.complete(number)
        made += 1
    if most is None:
        ledger.end_frozen()


def record(number: int, state: TrialState = TrialState.COMPLETE, **fields: Any) -> TrialRecord:
    """A trial's record as the study would give it."""
    defaults: dict[str, Any] = {"params": {"depth": 2, "lr": 0.1}, "started_ms": 1, "ended_ms": number + 2}
    return TrialRecord(number=number, state=state, **{**defaults, **fields})
