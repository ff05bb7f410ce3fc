"""Configurations as numbers and back: every kind of range, what depends on others, what a guest brings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial
from sweep_makers import CONDITIONAL

from search.policy.curves.encoding import Encoding
from spaces.registry import load_space, shipped_spaces
from spaces.space import Condition, SearchSpace

RANGES: dict[str, BaseDistribution] = {
    "float": FloatDistribution(-1.0, 3.0),
    "log": FloatDistribution(1e-5, 10.0, log=True),
    "steps": FloatDistribution(0.1, 0.7, step=0.1),
    "one": FloatDistribution(0.5, 0.5),
    "int": IntDistribution(1, 5),
    "int_steps": IntDistribution(8, 56, step=8),
    "int_log": IntDistribution(16, 1024, log=True),
    "one_int": IntDistribution(3, 3, log=True),
    "choice": CategoricalDistribution(["a", 1, None, 2.5]),
    "truth": CategoricalDistribution([True, False]),
    "one_choice": CategoricalDistribution(["only"]),
}
ALL = SearchSpace(name="all", description="Every kind of range.", parameters=RANGES)


@given(st.lists(st.floats(0, 1), min_size=len(RANGES), max_size=len(RANGES)))
@settings(deadline=None, max_examples=100)
def test_what_is_drawn_is_in_the_space_and_lies_where_it_was_drawn(units: list[float]) -> None:
    encoding = Encoding(ALL)
    point = encoding.drawn(np.array([units]))[0]
    values = encoding.values(point)
    ALL.check_values(values)
    assert all(type(value) in (int, float, str, bool, type(None)) for value in values.values())
    assert encoding.point(values) == pytest.approx(point, abs=1e-6)


@pytest.mark.parametrize("name", ["int", "int_steps", "int_log", "steps", "choice", "truth"])
def test_every_value_is_drawn_about_as_often_on_its_scale(name: str) -> None:
    space = SearchSpace(name="one", description="One parameter.", parameters={name: RANGES[name]})
    encoding = Encoding(space)
    points = encoding.drawn(np.linspace(0, 1, 4001)[:, None])
    values = [encoding.values(point)[name] for point in points]
    counts = {value: values.count(value) for value in values}
    if name == "int_log":
        assert 0.48 < sum(value < 128 for value in values) / len(values) < 0.52  # three of six octaves
        assert {16, 1024} <= set(values)
    else:
        assert max(counts.values()) - min(counts.values()) <= 2


def test_choices_are_all_equally_far_apart_and_as_far_as_a_ranges_ends() -> None:
    space = SearchSpace(
        name="mixed",
        description="A choice and a number.",
        parameters={"c": CategoricalDistribution(["x", "y", "z"]), "f": FloatDistribution(0, 1)},
    )
    encoding = Encoding(space)
    points = np.stack([encoding.point({"c": c, "f": f}) for c, f in (("x", 0), ("y", 0), ("z", 0), ("x", 1))])
    features = encoding.features(points)
    distances = np.sqrt(((features[:, None] - features[None]) ** 2).sum(-1))
    assert distances[np.triu_indices(4, 1)] == pytest.approx([1, 1, 1, 1, math.sqrt(2), math.sqrt(2)])
    assert encoding.columns.tolist() == [0, 0, 0, 1]


def test_what_does_not_exist_makes_no_difference() -> None:
    encoding = Encoding(CONDITIONAL)
    one, other = (
        encoding.drawn(np.array([[0.9, 0.5, momentum]])) for momentum in (0.1, 0.8)
    )  # adamw, which has no momentum
    assert "momentum" not in encoding.values(one[0])
    assert np.array_equal(encoding.features(one), encoding.features(other))
    with_momentum = encoding.drawn(np.array([[0.1, 0.5, 0.8]]))
    assert "momentum" in encoding.values(with_momentum[0])


def test_a_child_of_what_does_not_exist_does_not_exist() -> None:
    space = SearchSpace(
        name="nested",
        description="Three floors.",
        parameters={
            "a_leaf": FloatDistribution(0, 1),
            "branch": IntDistribution(1, 3),
            "trunk": CategoricalDistribution(["oak", "elm"]),
        },
        conditions={"a_leaf": Condition("branch", 2), "branch": Condition("trunk", "oak")},
    )
    encoding = Encoding(space)
    drawn = encoding.drawn(np.random.default_rng(0).random((60, 3)))
    for point in drawn:
        space.check_values(encoding.values(point))
    assert {len(encoding.values(point)) for point in drawn} == {1, 2, 3}


def test_a_guests_values_outside_of_a_range_lie_at_its_end() -> None:
    encoding = Encoding(ALL)
    point = encoding.point({"log": 100.0, "int": -5, "choice": "new"})
    assert point[encoding.names.index("log")] == 1
    assert point[encoding.names.index("int")] == pytest.approx(0.1)
    assert math.isnan(point[encoding.names.index("float")])
    assert np.isfinite(encoding.features(point[None])).all()


@pytest.mark.parametrize("name", shipped_spaces())
def test_the_projects_own_spaces(name: str) -> None:
    space = load_space(name)
    encoding = Encoding(space)
    for point in encoding.drawn(np.random.default_rng(1).random((30, encoding.dimensions))):
        space.check_values(space.suggest(FixedTrial(encoding.values(point))))
