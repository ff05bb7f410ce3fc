"""Which configurations of several sweeps are chosen: together good for each of them, by its own curves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.launching.portfolio import Found, portfolio
from search.policy.curves.encoding import Encoding
from search.policy.curves.model import CurveModel
from search.policy.curves.table import Curve
from spaces.space import SearchSpace

LR, DEPTH = FloatDistribution(1e-4, 1.0, log=True), IntDistribution(1, 6)
SPACE = SearchSpace(name="s", description="Some.", parameters={"lr": LR})


def swept(
    losses: Callable[[float], float],
    tried: Sequence[dict[str, Any]],
    space: SearchSpace = SPACE,
    name: str = "night",
) -> Found:
    """A sweep of three epochs a trial whose losses follow from the logarithm of the learning rate."""
    encoding = Encoding(space)

    def loss(params: dict[str, Any]) -> float:
        return losses(float(np.log10(params["lr"])))

    curves = [
        Curve(
            encoding.point(params), (1, 2, 3), (loss(params) + 0.2, loss(params) + 0.1, loss(params)), False
        )
        for params in tried
    ]
    return Found(name, sorted(tried, key=loss), curves, max_epochs=3)


def lrs(*exponents: float) -> list[dict[str, Any]]:
    return [{"lr": 10.0**each} for each in exponents]


def test_the_first_is_good_everywhere_and_the_next_are_each_sweeps_own_best() -> None:
    high = swept(lambda x: (x + 1) ** 2, lrs(-0.5, -1, -1.5, -2, -3, -4))
    low = swept(lambda x: (x + 3) ** 2, lrs(0, -1, -2, -2.5, -3, -3.5))
    chosen = [round(float(np.log10(each["lr"])), 1) for each in portfolio([high, low], SPACE)]
    assert -3 < chosen[0] < -1
    assert set(chosen[1:3]) == {-1.0, -3.0}


def test_once_each_sweep_has_its_best_the_others_come_by_their_average() -> None:
    """`day` has no better one than those of `night`: its worst is not the next because it is its turn."""
    night = swept(lambda x: (x + 1) ** 2, lrs(-1, -1.5, -2, -2.5))
    day = swept(lambda x: (x + 1) ** 2, lrs(-1, -3.5, -4), name="day")
    chosen = [round(float(np.log10(each["lr"])), 1) for each in portfolio([day, night], SPACE)]
    assert chosen == [-1.0, -1.5, -2.0, -2.5, -3.5, -4.0]


def test_a_single_sweep_keeps_its_own_order() -> None:
    """What was confirmed comes first, whatever the curves say."""
    found = swept(lambda x: (x + 1) ** 2, lrs(-1, -2, -3, -4))
    confirmed = replace(found, configurations=lrs(-3, -4, -1, -2))
    assert portfolio([confirmed], SPACE) == confirmed.configurations


def test_what_two_trials_have_in_common_keeps_its_place() -> None:
    """Where a parameter is left open, two configurations of a sweep are one here."""
    found = swept(lambda x: (x + 1) ** 2, lrs(-1, -2, -3, -4))
    twice = replace(found, configurations=lrs(-1, -2, -3, -1))
    other = swept(lambda x: (x + 1.1) ** 2, lrs(-1.5, -2.5, -3.5), name="day")
    assert portfolio([twice, other], SPACE)[0] == {"lr": 0.1}


def test_what_is_nearly_the_same_is_chosen_once_and_ten_are_enough() -> None:
    close = swept(lambda x: x**2, lrs(-1, -1.1, -1.2, -3))
    assert portfolio([close], SPACE) == lrs(-1, -3)
    units = np.linspace(0, 1, 20)
    space = SearchSpace(name="s", description="Some.", parameters={"lr": LR, "depth": DEPTH})
    many = [{"lr": 10.0 ** (-4 * unit), "depth": place % 6 + 1} for place, unit in enumerate(units)]
    assert len(portfolio([swept(lambda x: x**2, many, space)], space)) == 10


def test_of_what_a_sweep_did_not_vary_it_has_no_opinion() -> None:
    """`day` never had an activation: what `night` says of it stands, though `day` has more trials."""
    kinds = CategoricalDistribution(["relu", "gelu"])
    space = SearchSpace(name="s", description="Some.", parameters={"lr": LR, "kind": kinds})
    rates = lrs(-1, -1.5, -2, -3)
    night = [{**each, "kind": kind} for kind in ("gelu", "relu") for each in rates]
    ranked = sorted(night, key=lambda each: (each["kind"] != "gelu", -each["lr"]))
    encoding = Encoding(space)
    curves = [Curve(encoding.point(each), (3,), (float(place),), False) for place, each in enumerate(ranked)]
    day = swept(lambda x: (x + 1) ** 2, lrs(-1, -1.2, -1.4, -1.6, -2, -2.5, -3, -3.5), space, "day")
    assert portfolio([Found("night", ranked, curves, 3), day], space)[0] == {**rates[0], "kind": "gelu"}


def test_trials_that_failed_speak_against_their_region() -> None:
    encoding = Encoding(SPACE)
    high = swept(lambda x: -x, lrs(0, -0.5, -1, -1.5, -2))
    failed = [Curve(encoding.point(each), (), (), failed=True) for each in lrs(0, -0.2, -0.5)]
    low = swept(lambda x: (x + 1) ** 2, lrs(-1, -1.5, -2, -3))
    assert portfolio([high, low], SPACE)[0] == {"lr": 1.0}
    assert portfolio([high, replace(low, curves=[*low.curves, *failed])], SPACE)[0] == {"lr": 0.1}


def test_a_sweep_whose_curves_fit_no_model_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(CurveModel, "posterior", fail)
    with caplog.at_level(logging.WARNING):
        assert portfolio([swept(lambda x: x, lrs(-3, -1))], SPACE) == lrs(-3, -1)
    assert caplog.messages == [
        "learning from night: its curves fit no model (not positive definite): its best are taken"
    ]
