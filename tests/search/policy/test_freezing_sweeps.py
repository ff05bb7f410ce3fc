"""Sweeps that freeze trials, through the ledger: killed anywhere they decide as undisturbed ones do."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sweep_makers import open_ledger, sweep_config

from search.config.sweep_config import SweepConfig
from search.study.promotion import Ask
from search.study.records import Epoch, TrialRecord
from search.study.transitions import Decision
from spaces.space import Condition, SearchSpace

SPACE = SearchSpace(
    name="mixed",
    description="Every kind of parameter.",
    parameters={
        "lr": FloatDistribution(1e-4, 1.0, log=True),
        "width": IntDistribution(16, 128, step=16),
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "momentum": FloatDistribution(0.5, 0.99),
    },
    conditions={"momentum": Condition("optimizer", "sgd")},
)
CATEGORIES = SearchSpace(
    name="categories",
    description="All choices.",
    parameters={"a": CategoricalDistribution(["x", "y", "z"]), "b": CategoricalDistribution([True, False])},
)


def accuracy(params: dict[str, Any], epoch: int) -> float:
    """Best at lr 0.03; NaN with a large one."""
    lr = params.get("lr", 0.1)
    if lr > 0.5:
        return math.nan
    return float(0.9 - 0.1 * abs(math.log10(lr / 0.03)) - 0.4 / epoch + params.get("width", 16) / 2000)


def run(config: SweepConfig, kill_every: int | None = None) -> list[TrialRecord]:
    """A sweep with one worker; killed after every so many epochs, and taken on by a driver made anew."""
    storage = InMemoryStorage()
    ledger = open_ledger(config, storage)
    trained = 0
    while True:
        unfinished = ledger.unfinished()
        if unfinished:
            record = ledger.adopt(unfinished[0])
        else:
            choice = ledger.choose()
            if choice is None:
                ledger.end_frozen()
                return ledger.records()
            record = ledger.ask(choice) if isinstance(choice, Ask) else ledger.thaw(choice)
        record, killed = ledger.start(record.number), False
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE and not killed:
            number, epoch = record.number, len(record.epochs) + 1
            value = accuracy(dict(record.params), epoch)
            if math.isnan(value):
                ledger.diverge(number, "NaN")
                break
            told = Epoch(epoch, {"val_acc": value, "epoch_s": 1.0}, epoch, "host:1", f"{number}/{epoch}")
            record, decision = ledger.report(number, told)
            trained += 1
            killed = kill_every is not None and trained % kill_every == 0
            if decision is Decision.CONTINUE and epoch == config.max_epochs:
                ledger.complete(number)
                break
        if killed:
            ledger = open_ledger(config, storage)


def decisions(records: list[TrialRecord]) -> list[tuple[object, ...]]:
    """What was decided of each trial, and on what."""
    return [(r.params, r.hand_outs, r.state, [epoch.epoch for epoch in r.epochs]) for r in records]


@pytest.mark.parametrize("sampler", ["curves", "random", "tpe"])
def test_a_sweep_that_is_killed_decides_as_an_undisturbed_one(sampler: str) -> None:
    config = sweep_config(
        space=SPACE, sampler=sampler, pruner="promotion", max_epochs=9, trials=None, budget="8x"
    )
    whole = decisions(run(config))
    assert len(whole) > 15
    for kill_every in (1, 7):
        assert decisions(run(config, kill_every)) == whole


def test_a_new_trial_that_the_model_chose_tells_by_what() -> None:
    config = sweep_config(
        space=SPACE, sampler="curves", pruner="promotion", max_epochs=9, trials=None, budget="8x"
    )
    whys = [record.hand_outs[0].why for record in run(config)]
    assert set(whys[:8]) == {"new"}, "the first fill the space"
    chosen = [why for why in whys[8:] if why != "new"]
    assert len(chosen) > len(whys[8:]) / 2, "the others are drawn uniformly"
    assert all(re.fullmatch(r"P\(improve\) [01]\.\d\d at epoch [1-9]", why) for why in chosen)


@pytest.mark.parametrize("space", [SPACE, CATEGORIES])
@pytest.mark.parametrize(
    "size", [{"trials": None, "budget": "1x"}, {"trials": None, "budget": "8x"}, {"trials": 12}]
)
def test_every_size_ends_with_a_complete_trial(space: SearchSpace, size: dict[str, Any]) -> None:
    config = sweep_config(space=space, sampler="curves", pruner="promotion", max_epochs=9, **size)
    records = run(config)
    assert any(record.state is TrialState.COMPLETE for record in records)
    assert all(record.state.is_finished() for record in records)
    if config.budget is not None:
        assert sum(len(record.epochs) for record in records) <= config.max_epochs * float(config.budget[:-1])


def test_the_name_of_a_sweep_decides_nothing() -> None:
    one, other = (
        decisions(
            run(
                sweep_config(
                    name=name, space=SPACE, sampler="curves", pruner="promotion", max_epochs=9, budget="6x"
                )
            )
        )
        for name in ("monday", "tuesday")
    )
    assert one == other


def test_with_a_pruner_that_freezes_nothing_the_sampler_learns_too() -> None:
    config = sweep_config(space=SPACE, sampler="curves", pruner="asha", max_epochs=9, trials=30)
    assert decisions(run(config, kill_every=5)) == decisions(run(config))
