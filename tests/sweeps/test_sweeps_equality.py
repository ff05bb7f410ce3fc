"""A sequential sweep through Ray decides as Optuna's own ask, report, should_prune loop does."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from scripted import accuracy, report_only
from sweep_checks import check_study, check_view
from sweep_fixtures import CURVES, MakeSweep

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.policy.pruners import PRUNERS, make_pruner
from search.policy.samplers import SAMPLERS, make_sampler
from search.study.database import opened_storage
from spaces.space import SearchSpace

STEPS = SearchSpace(
    name="steps",
    description="A grid of twelve.",
    parameters={
        "rate": CategoricalDistribution([0.001, 0.1, 0.5]),
        "depth": IntDistribution(1, 4),
    },
)
# Every sampler and every pruner at least once.
PAIRS = [
    ("tpe", "hyperband", {"reduction_factor": 2}),
    ("random", "asha", {"reduction_factor": 2}),
    ("gp", "median", {"n_startup_trials": 3}),
    ("cmaes", "percentile", {"n_startup_trials": 3}),
    ("qmc", "threshold", {"lower": 0.2}),
    ("grid", "patient", {"patience": 2}),
    ("curves", "median", {"n_startup_trials": 3}),
    ("tpe", "none", {}),
]
BY_DEFAULT = [("tpe", "hyperband"), ("gp", "median"), ("grid", "patient")]  # each takes seconds


def optuna_alone(config: SweepConfig) -> list[FrozenTrial]:
    """The same sweep as Optuna's documentation teaches it."""
    study = optuna.create_study(
        study_name=config.name,
        direction=config.direction,
        sampler=make_sampler(
            config.sampler, config.space, config.seed, config.max_epochs, args=config.sampler_args
        ),
        pruner=make_pruner(config.pruner, config.max_epochs, config.goal, config.pruner_args, config.classes),
    )
    for _ in range(config.trials):
        trial = study.ask()
        params = config.space.suggest(trial)
        study.tell(trial, *_train(trial, params, config.max_epochs))
    return study.trials


def _train(trial: optuna.Trial, params: Any, max_epochs: int) -> tuple[float | None, TrialState]:
    for epoch in range(1, max_epochs + 1):
        trial.report(accuracy(params, epoch), epoch)
        if epoch < max_epochs and trial.should_prune():
            return None, TrialState.PRUNED
    return accuracy(params, max_epochs), TrialState.COMPLETE


def decisions(trials: list[FrozenTrial]) -> list[tuple[object, ...]]:
    """All that sampler and pruner decided, and what they decided it on."""
    return [(trial.params, trial.state, trial.intermediate_values, trial.value) for trial in trials]


def trials_of(config: SweepConfig) -> list[FrozenTrial]:
    """The trials in the study's own database."""
    with opened_storage(config.storage_url) as storage:
        return optuna.load_study(study_name=config.name, storage=storage).trials


@pytest.mark.parametrize(
    ("sampler", "pruner", "pruner_args"),
    [pytest.param(*pair, marks=[] if pair[:2] in BY_DEFAULT else pytest.mark.slow) for pair in PAIRS],
)
def test_a_sequential_sweep_decides_as_optuna_does(
    make_sweep: MakeSweep, sampler: str, pruner: str, pruner_args: dict[str, Any]
) -> None:
    config = make_sweep(
        space=STEPS if sampler == "grid" else CURVES,
        sampler=sampler,
        pruner=pruner,
        pruner_args=pruner_args,
        trials=12,
        max_epochs=8,
        concurrency=1,
        seed=5,
    )
    result = run_sweep(config, report_only)
    through_ray = trials_of(config)
    assert decisions(through_ray) == decisions(optuna_alone(config))
    assert result.succeeded
    assert check_study(config, trials=12) == result.records
    pruned = sum(trial.state is TrialState.PRUNED for trial in through_ray)
    assert (pruned > 0) == (pruner != "none"), "the curves were to make the pruner do something"
    check_view(config)


def test_the_pairs_cover_every_sampler_and_pruner() -> None:
    assert {sampler for sampler, _, _ in PAIRS} == set(SAMPLERS)
    assert {pruner for _, pruner, _ in PAIRS} == set(PRUNERS) - {"promotion"}, "Optuna freezes no trial"
