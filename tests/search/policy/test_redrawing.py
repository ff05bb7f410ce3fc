"""What diverged or ran out of memory is not proposed again while there is anything else."""

from __future__ import annotations

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from sweep_makers import epoch, open_ledger, started, sweep_config

from search.study.records import StopReason
from spaces.space import Condition, SearchSpace

SIX = SearchSpace(
    name="six",
    description="Six points.",
    parameters={
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "width": CategoricalDistribution([8, 16, 32]),
    },
)
TOO_WIDE = [{"optimizer": "adamw", "width": 16}, {"optimizer": "adamw", "width": 32}]
DIVERGES = {"optimizer": "sgd", "width": 32}
STEPS = SearchSpace(
    name="steps",
    description="Steps of a tenth, one optimizer with momentum.",
    parameters={
        "dropout": FloatDistribution(0.1, 0.4, step=0.1),
        "depth": IntDistribution(1, 1),
        "optimizer": CategoricalDistribution(["sgd", "adamw"]),
        "momentum": CategoricalDistribution([0.5, 0.9]),
    },
    conditions={"momentum": Condition("optimizer", "sgd")},
)
LEARNS_SOON = {name: {"n_startup_trials": 3} for name in ("tpe", "gp", "cmaes", "curves")}
SAMPLERS = ["random", "qmc", "tpe", pytest.param("gp", marks=pytest.mark.slow), "cmaes", "curves"]


def run(
    sampler: str, trials: int, storage: InMemoryStorage, *, drivers: int = 1, **fields: Any
) -> list[dict[str, Any]]:
    """Six points of which three fail, driven by several drivers in turn. Returns what was drawn."""
    drawn = []
    for _ in range(drivers):
        args = LEARNS_SOON.get(sampler, {})
        config = sweep_config(
            space=SIX, sampler=sampler, sampler_args=args, trials=trials, max_epochs=1, **fields
        )
        ledger = open_ledger(config, storage)
        for _ in range(trials // drivers):
            asked = started(ledger)
            params = dict(asked.params)
            drawn.append(params)
            if params in TOO_WIDE:
                ledger.fail(asked.number, StopReason.OOM, "CUDA out of memory")
            elif params == DIVERGES:
                ledger.diverge(asked.number, "val_loss is nan")
            else:
                ledger.report(asked.number, epoch(1, params["width"] / 100))
                ledger.complete(asked.number)
    return drawn


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_of_six_points_those_that_failed_are_proposed_once(sampler: str) -> None:
    drawn = run(sampler, 24, InMemoryStorage())
    assert len(drawn) == 24
    for failed in [*TOO_WIDE, DIVERGES]:
        assert drawn.count(failed) <= 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_resume_draws_again_as_the_driver_before_would_have(sampler: str) -> None:
    assert run(sampler, 16, InMemoryStorage()) == run(sampler, 16, InMemoryStorage(), drivers=8)


def test_what_somebody_enqueues_stays() -> None:
    drawn = run("random", 8, InMemoryStorage(), enqueue=[DIVERGES])
    assert drawn[0] == DIVERGES
    storage = InMemoryStorage()
    ledger = open_ledger(sweep_config(space=SIX, trials=3, max_epochs=1), storage)
    failed = started(ledger)
    ledger.fail(failed.number, StopReason.OOM, "CUDA out of memory")
    assert ledger.retry_failed() == [failed.number]
    assert started(ledger).params == failed.params


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sweep_goes_on_where_every_point_has_failed(sampler: str) -> None:
    ledger = open_ledger(sweep_config(space=SIX, sampler=sampler, trials=20, max_epochs=1))
    points = set()
    for _ in range(20):
        asked = started(ledger)
        points.add(tuple(asked.params.values()))
        ledger.fail(asked.number, StopReason.OOM, "CUDA out of memory")
        if asked.number == 5:
            assert len(points) == 6, "each once before any twice"


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe"])
def test_whole_configurations_are_compared_steps_and_conditions_too(sampler: str) -> None:
    size = STEPS.size()
    assert size == 12
    ledger = open_ledger(sweep_config(space=STEPS, sampler=sampler, trials=size, max_epochs=1))
    points = set()
    for _ in range(size):
        asked = started(ledger)
        STEPS.check_values(asked.params)
        points.add(tuple(sorted((name, str(value)[:4]) for name, value in asked.params.items())))
        ledger.diverge(asked.number, "val_loss is nan")
    assert len(points) == size


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "cmaes"])
def test_where_nothing_is_drawn_twice_a_failure_changes_no_draw_at_random(sampler: str) -> None:
    """A sweep of an earlier version that is resumed goes on as it would have."""

    def draws(reason: StopReason) -> list[dict[str, Any]]:
        ledger = open_ledger(sweep_config(sampler=sampler, trials=6, max_epochs=1))
        drawn = []
        for _ in range(6):
            asked = started(ledger)
            drawn.append(dict(asked.params))
            ledger.fail(asked.number, reason, "failed")
        return drawn

    assert draws(StopReason.OOM) == draws(StopReason.ERROR)
