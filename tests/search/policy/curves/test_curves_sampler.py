"""The sampler that learns from curves: what it draws first, what it learns, and a resume changes nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sweep_makers import CONDITIONAL, DISCRETE, FLAT

from search.policy.curves.history import NOTE
from search.policy.curves.model import CurveModel
from search.policy.curves.sampler import CurvesSampler
from search.policy.samplers import make_sampler
from search.study.hand_outs import WHY_DRAWN
from spaces.space import SearchSpace

EPOCHS = 9
PLANE = SearchSpace(
    name="plane",
    description="Four numbers, two of which matter.",
    parameters={name: FloatDistribution(0, 1) for name in "abcd"},
)


def study_of(
    storage: InMemoryStorage,
    space: SearchSpace = PLANE,
    seed: int = 0,
    direction: str = "minimize",
    **args: Any,
) -> optuna.Study:
    """The study in this storage with a sampler made anew, as every driver makes them."""
    return optuna.create_study(
        study_name="curves",
        storage=storage,
        load_if_exists=True,
        direction=direction,
        sampler=make_sampler("curves", space, seed, EPOCHS, args=args),
    )


def loss(params: dict[str, Any], epoch: int) -> float:
    """A bowl that trials fall into."""
    end = (params["a"] - 0.8) ** 2 + (params["b"] - 0.3) ** 2
    return float(end + 0.5 / epoch)


def run(
    study: optuna.Study, trials: int, space: SearchSpace = PLANE, epochs: int = 1
) -> list[dict[str, Any]]:
    """Trials that report so many epochs and are then frozen: PRUNED in memory."""
    drawn = []
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    for _ in range(trials):
        trial = study.ask()
        drawn.append(dict(space.suggest(trial)))
        for epoch in range(1, epochs + 1):
            trial.report(sign * loss(trial.params, epoch) if "b" in trial.params else 0.5, epoch)
        study.tell(trial, state=TrialState.PRUNED)
    return drawn


def test_the_middle_comes_first_and_then_what_fills_the_space() -> None:
    drawn = run(study_of(InMemoryStorage()), 8)
    assert drawn[0] == dict.fromkeys("abcd", 0.5)
    rows = np.array([list(params.values()) for params in drawn[1:]])
    assert (rows.min(0) < 0.3).all()
    assert (rows.max(0) > 0.7).all()


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_learns_from_trials_that_were_frozen_after_an_epoch(direction: str) -> None:
    def mean_of_the_last(name: str, seed: int) -> float:
        study = study_of(InMemoryStorage(), seed=seed, direction=direction)
        if name != "curves":
            study.sampler = make_sampler(name, PLANE, seed, EPOCHS)
        return float(np.mean([loss(params, EPOCHS) for params in run(study, 40)[-20:]]))

    ours, random = (
        np.mean([mean_of_the_last(name, seed) for seed in range(3)]) for name in ("curves", "random")
    )
    assert ours < random - 0.1


def test_a_sampler_made_anew_before_each_trial_draws_the_same() -> None:
    whole = run(study_of(InMemoryStorage(), seed=3), 40)
    storage = InMemoryStorage()
    resumed = [params for _ in range(40) for params in run(study_of(storage, seed=3), 1)]
    assert resumed == whole
    notes = [trial.system_attrs.get(NOTE) for trial in study_of(storage).trials]
    assert 2 < sum(note is not None for note in notes) < 12, "fitted at growing steps, and kept"


def test_what_runs_counts_with_what_it_has_reported() -> None:
    study = study_of(InMemoryStorage())
    for _ in range(16):
        trial = study.ask()
        params = dict(PLANE.suggest(trial))
        trial.report(loss(params, 1), 1)
    assert any(WHY_DRAWN in trial.system_attrs for trial in study.trials), "the model was asked"


def test_trials_that_are_asked_for_at_once_differ() -> None:
    study = study_of(InMemoryStorage())
    run(study, 12)
    at_once = [tuple(PLANE.suggest(study.ask()).values()) for _ in range(8)]
    assert len(set(at_once)) == 8


def test_enqueued_values_are_kept_and_the_rest_fits_to_them() -> None:
    study = study_of(InMemoryStorage(), uniform=0.0)
    run(study, 30)
    for value in (0.7, 0.8, 0.9):
        study.enqueue_trial({"a": value})
    drawn = run(study, 3)
    assert [params["a"] for params in drawn] == [0.7, 0.8, 0.9]
    assert abs(drawn[1]["b"] - 0.3) < 0.15, "the best that goes with 0.8"
    study.enqueue_trial(dict.fromkeys("abcd", 0.25))
    assert run(study, 1) == [dict.fromkeys("abcd", 0.25)]


def test_an_enqueued_trial_takes_no_place_in_the_sequence() -> None:
    study = study_of(InMemoryStorage())
    study.enqueue_trial(dict.fromkeys("abcd", 0.25))
    assert run(study, 2) == [dict.fromkeys("abcd", 0.25), dict.fromkeys("abcd", 0.5)]


def test_a_guests_trial_of_other_ranges_teaches_too() -> None:
    study = study_of(InMemoryStorage())
    run(study, 10)
    study.add_trial(
        optuna.trial.create_trial(
            value=0.01,
            params={"a": 7.0, "own": "x"},
            distributions={"a": FloatDistribution(0, 10), "own": CategoricalDistribution(["x", "y"])},
            intermediate_values={0: math.nan, 1: 0.5, 2: 0.01},
        )
    )
    for params in run(study, 10):
        PLANE.check_values(params)


def test_where_trials_diverge_or_run_out_of_memory_is_avoided() -> None:
    study = study_of(InMemoryStorage(), uniform=0.0)
    bad = 0
    for place in range(50):
        trial = study.ask()
        params = dict(PLANE.suggest(trial))
        if params["a"] > 0.6:
            bad += place >= 25
            if place % 2:
                trial.set_user_attr("stop_reason", "diverged")
                study.tell(trial, state=TrialState.PRUNED)
            else:
                trial.set_user_attr("stop_reason", "oom")
                study.tell(trial, state=TrialState.FAIL)
            continue
        trial.report(loss(params, 1), 1)
        study.tell(trial, state=TrialState.PRUNED)
    assert bad <= 5  # of 25; at random it would be ten


@pytest.mark.parametrize("space", [FLAT, CONDITIONAL, DISCRETE])
def test_every_kind_of_space(space: SearchSpace) -> None:
    for params in run(study_of(InMemoryStorage(), space), 24, space):
        space.check_values(params)


def test_a_small_space_is_gone_through_before_anything_is_tried_again() -> None:
    drawn = run(study_of(InMemoryStorage(), DISCRETE, n_startup_trials=4), 14, DISCRETE)
    points = [tuple(sorted(params.items())) for params in drawn]
    assert len(set(points)) == 6
    first = {point: points.index(point) for point in points}
    assert sorted(first.values())[3] <= 4


def test_a_space_of_one_value() -> None:
    space = SearchSpace(name="one", description="One.", parameters={"a": FloatDistribution(0.5, 0.5)})
    assert run(study_of(InMemoryStorage(), space), 12, space) == [{"a": 0.5}] * 12


def test_a_model_that_fails_is_told_of_once_and_trials_are_drawn_uniformly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(CurveModel, "posterior", fails)
    drawn = run(study_of(InMemoryStorage()), 30)
    assert len({tuple(params.values()) for params in drawn}) == 30
    assert caplog.text.count("the model of the curves fails (not positive definite)") == 1


def test_arguments_are_checked() -> None:
    for args in ({"n_startup_trials": 0}, {"uniform": 2.0}):
        with pytest.raises(Exception, match="sampler curves refuses"):
            make_sampler("curves", PLANE, 0, EPOCHS, args=args)
    with pytest.raises(Exception, match="sampler argument max_epochs=3: give `max_epochs`"):
        make_sampler("curves", PLANE, 0, EPOCHS, args={"max_epochs": 3})
    assert isinstance(make_sampler("curves", PLANE, 0, EPOCHS), CurvesSampler)
