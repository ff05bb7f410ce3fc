"""The model of learning curves: its gradient, its scores, what it foretells, and what it is when it fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from scipy.optimize import check_grad
from sweep_makers import MAXIMIZE, MINIMIZE
from threadpoolctl import threadpool_info, threadpool_limits

from search.config.goals import Goal
from search.policy.curves.encoding import Encoding
from search.policy.curves.model import CurveModel, normal_scores
from search.policy.curves.prediction import CurvePredictor
from search.policy.curves.process import CurveProcess, Points
from search.policy.curves.table import Curve, CurveTable
from search.study.records import Epoch, StopReason, TrialRecord
from spaces.space import SearchSpace

SPACE = SearchSpace(
    name="plane",
    description="Two numbers.",
    parameters={"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)},
)
EPOCHS = 27


def loss(x: float, y: float, epoch: int) -> float:
    """Falls with the epochs towards what the configuration is good for; fast ones end higher."""
    end = (x - 0.7) ** 2 + 0.3 * (y - 0.2) ** 2
    return end + (0.6 + 0.4 * x) * epoch ** -(0.4 + 0.3 * y)


def test_the_gradient_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(0)
    process = CurveProcess(np.array([0, 0, 0, 1]))
    points = Points(rng.random((12, 4)), rng.random(12), np.repeat(np.arange(4), 3))
    y = rng.standard_normal(12)
    for _ in range(3):
        theta = process._mean + 0.5 * rng.standard_normal(len(process._mean))
        difference = check_grad(
            lambda at: process._loss(at, points, y)[0], lambda at: process._loss(at, points, y)[1], theta
        )
        assert difference < 1e-4


def test_scores_keep_the_order_and_know_neither_scale_nor_outliers() -> None:
    lasts = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    scores = normal_scores(lasts, lasts)
    assert (np.diff(scores) > 0).all()
    assert scores == pytest.approx(-scores[::-1])
    assert normal_scores(np.exp(lasts * 100), np.exp(lasts * 100)) == pytest.approx(scores)
    between = normal_scores(np.array([0.25, 0.0, 9.0]), lasts)
    assert scores[1] < between[0] < scores[2]
    assert between[1:] == pytest.approx(scores[[0, -1]])


def test_equal_values_have_equal_scores_and_failed_trials_the_worst() -> None:
    lasts = np.array([0.3, 0.3, 0.1, np.inf, np.inf])
    scores = normal_scores(lasts, lasts)
    assert scores[0] == scores[1]
    assert scores[2] < scores[0] < scores[3] == scores[4]
    assert len(set(normal_scores(np.full(4, 0.5), np.full(4, 0.5)))) == 1


def test_ends_are_foretold_from_beginnings() -> None:
    rng = np.random.default_rng(1)
    encoding = Encoding(SPACE)
    model = CurveModel(encoding, EPOCHS)
    units = rng.random((40, 2))
    lengths = [EPOCHS if place < 4 else 9 if place < 13 else 3 for place in range(40)]
    table = CurveTable(encoding.dimensions)
    for place, (u, n) in enumerate(zip(units, lengths, strict=True)):
        values = tuple(loss(*u, epoch) for epoch in range(1, n + 1))
        table.put(place, Curve(u, tuple(range(1, n + 1)), values, failed=False))
    curves = table.curves()
    observed = model.observed(curves)
    posterior = model.posterior(model.fitted(observed), observed)
    places = np.arange(4, 40)
    mean, _ = posterior.predict(model.at(units[places], EPOCHS, places))
    ends = np.array([loss(*units[place], EPOCHS) for place in places])
    assert rank_correlation(mean, ends) > 0.9
    assert rank_correlation(mean, ends) > rank_correlation(curves.lasts[places], ends)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's."""
    ranks = [np.argsort(np.argsort(each)) for each in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


@pytest.mark.parametrize("goal", [MAXIMIZE, MINIMIZE])
def test_of_frozen_trials_the_one_that_will_be_best_is_foretold(goal: Goal) -> None:
    rng = np.random.default_rng(2)
    records = [record(number, *rng.random(2), 9 if number % 3 else EPOCHS, goal) for number in range(24)]
    frozen = [each.number for each in records if len(each.epochs) == 9]
    ends = CurvePredictor(SPACE, EPOCHS, goal).ends(records, frozen)
    assert ends is not None
    really = [loss(records[n].params["x"], records[n].params["y"], EPOCHS) for n in frozen]
    assert int(np.argmin(ends)) in np.argsort(really)[:3]
    shuffled = [records[place] for place in rng.permutation(len(records))]
    assert CurvePredictor(SPACE, EPOCHS, goal).ends(shuffled, frozen) == ends


def record(number: int, x: float, y: float, epochs: int, goal: Goal) -> TrialRecord:
    """A trial that trained so far."""
    sign = 1 if goal is MINIMIZE else -1
    told = tuple(
        Epoch(e, {goal.metric: sign * loss(x, y, e)}, 0, "host:1", f"{number}/{e}")
        for e in range(1, epochs + 1)
    )
    return TrialRecord(number, TrialState.RUNNING, {"x": x, "y": y}, told)


def test_the_model_calculates_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[set[int]] = []

    def noted(*args: object, before: Callable[..., np.ndarray] = np.linalg.cholesky) -> np.ndarray:
        threads.append(blas_threads())
        return before(*args)

    monkeypatch.setattr(np.linalg, "cholesky", noted)
    records = [record(number, number / 9, 0.5, 3, MAXIMIZE) for number in range(8)]
    with threadpool_limits(2, "blas"):
        CurvePredictor(SPACE, EPOCHS, MAXIMIZE).ends(records, [0])
        assert blas_threads() == {2}, "as they were"
    assert len(threads) > 1, "in the fit and after it"
    assert all(each == {1} for each in threads)


def blas_threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_with_few_curves_nothing_is_foretold() -> None:
    records = [record(number, 0.5, 0.5, 1, MAXIMIZE) for number in range(3)]
    assert CurvePredictor(SPACE, EPOCHS, MAXIMIZE).ends(records, [0]) is None


def test_a_model_that_fails_says_so_and_foretells_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(CurveModel, "posterior", fails)
    records = [record(number, number / 9, 0.5, 3, MAXIMIZE) for number in range(8)]
    predictor = CurvePredictor(SPACE, EPOCHS, MAXIMIZE)
    assert predictor.ends(records, [0]) is predictor.ends(records, [1]) is None
    assert caplog.text.count("fails (not positive definite): trials finish by rung and value") == 1


@pytest.mark.parametrize("max_epochs", [1, 2, 300])
def test_constant_values_and_failures_alone_break_nothing(max_epochs: int) -> None:
    constant = [record(number, 0.5, 0.5, 1, MAXIMIZE) for number in range(6)]
    diverged = TrialRecord(6, TrialState.PRUNED, {"x": 0.1, "y": 0.1}, stop_reason=StopReason.DIVERGED)
    ends = CurvePredictor(SPACE, max_epochs, MAXIMIZE).ends([*constant, diverged], [0, 1])
    assert ends is not None
    assert np.isfinite(ends).all()


def test_hundreds_of_curves_are_thinned_to_what_can_be_computed() -> None:
    rng = np.random.default_rng(3)
    records = [record(number, *rng.random(2), 9, MAXIMIZE) for number in range(400)]
    ends = CurvePredictor(SPACE, EPOCHS, MAXIMIZE).ends(records, list(range(400)))
    assert ends is not None
    really = [loss(each.params["x"], each.params["y"], EPOCHS) for each in records]
    assert int(np.argmin(ends)) in np.argsort(really)[:10]
