"""One contract for all samplers: they build, learn, repeat themselves when seeded and never on a resume."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sweep_makers import CONDITIONAL, DISCRETE, FLAT, MAXIMIZE

from search.errors import UserError
from search.policy.pruners import make_pruner
from search.policy.samplers import MOST_GRID_POINTS, SAMPLERS, make_sampler
from spaces.registry import load_space
from spaces.space import SearchSpace

CASES = [
    pytest.param(name, space, id=f"{name}-{space.name}")
    for name in SAMPLERS
    for space in ([DISCRETE] if name == "grid" else [FLAT, CONDITIONAL])
]
# So few that within a short sweep each of them leaves its random start behind.
SHORT_START = {name: {"n_startup_trials": 2} for name in ("tpe", "gp", "cmaes")}


@pytest.fixture(autouse=True)
def _nothing_to_say(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A sampler that warns would warn once a trial of something its user cannot act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
    told = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    # Once a process, and true: GP is slower where `greenlet` is not installed.
    assert [message for message in told if "greenlet" not in message] == []


def study_of(
    storage: InMemoryStorage,
    name: str,
    space: SearchSpace,
    *,
    seed: int = 0,
    pruner: str = "none",
    args: dict[str, Any] | None = None,
) -> optuna.Study:
    """The study in this storage with a sampler and a pruner made anew, as every driver makes them."""
    return optuna.create_study(
        study_name="contract",
        storage=storage,
        load_if_exists=True,
        direction="maximize",
        sampler=make_sampler(name, space, seed, 4, args=args),
        pruner=make_pruner(pruner, 4, MAXIMIZE),
    )


def run(study: optuna.Study, space: SearchSpace, trials: int, seed: int = 0) -> list[dict[str, Any]]:
    """Ask, report, prune, tell; a trial in four fails. Returns what was drawn."""
    drawn = []
    for _ in range(trials):
        trial = study.ask()
        params = dict(space.suggest(trial))
        space.check_values(params)
        drawn.append(params)
        if trial.number % 4 == 3:
            study.tell(trial, state=TrialState.FAIL)
            continue
        value = sum(float(number) for number in params.values() if isinstance(number, int | float))
        for step in range(1, 5):
            trial.report(value * step, step)
            if trial.should_prune():
                study.tell(trial, state=TrialState.PRUNED)
                break
        else:
            study.tell(trial, value)
    return drawn


def points(drawn: list[dict[str, Any]]) -> set[tuple[tuple[str, Any], ...]]:
    """The different points among these."""
    return {tuple(sorted(params.items())) for params in drawn}


@pytest.mark.parametrize(("name", "space"), CASES)
def test_a_whole_sweep_gives_the_same_points_for_the_same_seed(name: str, space: SearchSpace) -> None:
    one, other = (
        run(study_of(InMemoryStorage(), name, space, args=SHORT_START.get(name)), space, trials=4)
        for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize(("name", "space"), CASES)
def test_another_seed_gives_other_points(name: str, space: SearchSpace) -> None:
    one, other = (
        run(study_of(InMemoryStorage(), name, space, seed=seed), space, trials=3, seed=seed)
        for seed in (1, 2)
    )
    assert one != other


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
@pytest.mark.parametrize(("name", "space"), CASES)
def test_a_resumed_sampler_repeats_no_point(name: str, space: SearchSpace, pruner: str) -> None:
    storage = InMemoryStorage()
    drawn = []
    for _ in range(3):
        drawn += run(study_of(storage, name, space, pruner=pruner), space, trials=2)
    assert len(points(drawn)) == 6


@pytest.mark.parametrize("name", ["qmc", "grid"])
def test_a_sequence_goes_on_over_resumes_as_if_nothing_had_happened(name: str) -> None:
    space = DISCRETE if name == "grid" else FLAT
    whole = run(study_of(InMemoryStorage(), name, space, seed=3), space, trials=6)
    storage = InMemoryStorage()
    parts = [run(study_of(storage, name, space, seed=3), space, trials=2) for _ in range(3)]
    resumed = [params for part in parts for params in part]
    assert resumed == whole


def test_trials_that_run_at_once_get_different_points_of_the_grid() -> None:
    study = study_of(InMemoryStorage(), "grid", DISCRETE)
    assert len(points([DISCRETE.suggest(study.ask()) for _ in range(6)])) == 6


def test_tpe_finds_what_random_search_does_not() -> None:
    def best(name: str) -> float:
        study = study_of(InMemoryStorage(), name, FLAT)
        run(study, FLAT, trials=40)
        return study.best_value

    assert best("tpe") > best("random")


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(
        UserError, match="unknown sampler 'bayes': choose one of tpe, random, gp, cmaes, qmc, grid"
    ):
        make_sampler("bayes", FLAT, 0, 4)


def test_unknown_arguments_list_the_samplers_own() -> None:
    with pytest.raises(
        UserError, match=r"sampler tpe has no argument 'startup': .*n_startup_trials"
    ) as refusal:
        make_sampler("tpe", FLAT, 0, 4, args={"startup": 3})
    assert "seed" not in str(refusal.value), "the seed is the sweep's"


def test_arguments_reach_the_sampler_and_wrong_values_are_its_own_to_refuse() -> None:
    space = load_space("quickstart")
    told = [{"n_startup_trials": count} for count in (1, 4)]
    one, four = (run(study_of(InMemoryStorage(), "tpe", space, args=args), space, trials=6) for args in told)
    assert one[0] == four[0], "the first is drawn at random whatever comes later"
    assert one != four
    with pytest.raises(UserError, match=r"sampler qmc refuses .*nonsense"):
        make_sampler("qmc", FLAT, 0, 4, args={"qmc_type": "nonsense"})


@pytest.mark.parametrize(
    ("space", "why"), [(FLAT, "lr can take endlessly"), (CONDITIONAL, "momentum exist only")]
)
def test_a_grid_needs_a_space_it_can_enumerate(space: SearchSpace, why: str) -> None:
    with pytest.raises(UserError, match=why):
        make_sampler("grid", space, 0, 4)


@pytest.mark.parametrize(
    ("parameters", "points"),
    [
        ({"a": IntDistribution(1, 10**8)}, "100,000,000"),
        ({name: IntDistribution(1, 100) for name in "abcd"}, "100,000,000"),
        ({"a": FloatDistribution(0.0, 1.0, step=1e-8)}, "100,000,001"),
        ({"a": IntDistribution(1, 2**62)}, "4,611,686,018,427,387,904"),
        ({"a": IntDistribution(0, MOST_GRID_POINTS)}, "100,001"),
    ],
)
def test_a_grid_too_large_to_keep_track_of_is_refused_at_once(
    parameters: dict[str, BaseDistribution], points: str
) -> None:
    space = SearchSpace(name="huge", description="Too many.", parameters=parameters)
    began = time.monotonic()
    with pytest.raises(
        UserError, match=f"'huge' has a grid of {points} points, and 100,000 can be kept track"
    ):
        make_sampler("grid", space, 0, 4)
    assert time.monotonic() - began < 1
    make_sampler("qmc", space, 0, 4)


def test_the_largest_grid_is_taken() -> None:
    parameters = {"a": IntDistribution(1, 1000), "b": IntDistribution(1, 100)}
    space = SearchSpace(name="large", description="Just enough.", parameters=parameters)
    make_sampler("grid", space, 0, 4)
