"""What holds for every valid search space, whichever ranges and conditions it is made of."""

import copy
import json
import pickle
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from spaces.registry import load_space
from spaces.space import Condition, InvalidSpace, SearchSpace

NAMES = ["depth", "width", "lr", "optimizer", "momentum", "beta2", "dropout"]
SETTINGS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def texts(most: int) -> st.SearchStrategy[str]:
    """What a database takes, which is all but NUL and lone surrogates."""
    return st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=most)


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-100, 100),
    st.floats(-10, 10, allow_nan=False),
    texts(3),
)


@st.composite
def float_ranges(draw: st.DrawFn) -> FloatDistribution:
    kind = draw(st.sampled_from(["linear", "log", "step"]))
    if kind == "log":
        low = draw(st.floats(1e-6, 1.0))
        # Over a range of but two or three numbers Optuna's TPE draws NaN: it is one number, or wider.
        return FloatDistribution(low, low * draw(st.just(1.0) | st.floats(1.0 + 1e-9, 1e4)), log=True)
    low = draw(st.floats(-100, 100).map(lambda number: round(number, 3)))
    if kind == "linear":
        return FloatDistribution(low, low + draw(st.floats(0, 100)))
    step = draw(st.sampled_from([0.1, 0.25, 0.3, 1.0]))
    return FloatDistribution(low, round(low + step * draw(st.integers(0, 6)), 6), step=step)


@st.composite
def int_ranges(draw: st.DrawFn) -> IntDistribution:
    if draw(st.booleans()):
        low = draw(st.integers(1, 20))
        return IntDistribution(low, low + draw(st.integers(0, 30)), log=True)
    low, step = draw(st.integers(-20, 20)), draw(st.integers(1, 8))
    return IntDistribution(low, low + step * draw(st.integers(0, 5)), step=step)


choices = st.lists(plain, min_size=1, max_size=4, unique_by=lambda value: value).map(CategoricalDistribution)


def values_of(distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    assert isinstance(distribution, IntDistribution)
    return list(range(distribution.low, distribution.high + 1, distribution.step))


@st.composite
def spaces(draw: st.DrawFn, ranges: st.SearchStrategy[BaseDistribution] | None = None) -> SearchSpace:
    names = draw(st.permutations(NAMES))
    number = draw(st.integers(1, len(names)))
    sampled = st.one_of(float_ranges(), int_ranges(), choices) if ranges is None else ranges
    parameters = {name: draw(sampled) for name in names[:number]}
    fixed_until = draw(st.integers(number, len(names)))
    fixed = {name: draw(plain) for name in names[number:fixed_until]}
    conditions = {}
    for position, name in enumerate([*parameters, *fixed]):
        # A parent comes from before its child, so that no circle arises.
        parents = [
            n for n in names[: min(position, number)] if not isinstance(parameters[n], FloatDistribution)
        ]
        if draw(st.booleans()) and parents:
            parent = draw(st.sampled_from(parents))
            conditions[name] = Condition(parent, draw(st.sampled_from(values_of(parameters[parent]))))
    return SearchSpace(
        name=draw(st.sampled_from(["mine", "yours"])),
        description=draw(texts(10)),
        parameters=parameters,
        fixed=fixed,
        conditions=conditions,
    )


@SETTINGS
@given(spaces())
def test_json_gives_the_same_space_back(space: SearchSpace) -> None:
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json(), allow_nan=False)))
    assert again == space
    assert hash(again) == hash(space)
    assert again.fingerprint() == space.fingerprint()
    assert again.to_json() == space.to_json()
    assert list(again.parameters) == list(space.parameters)


@SETTINGS
@given(spaces())
def test_copies_and_pickles_are_equal(space: SearchSpace) -> None:
    assert pickle.loads(pickle.dumps(space)) == space
    assert copy.deepcopy(space) == space


@SETTINGS
@given(spaces(), st.integers(0, 2**16))
def test_what_a_study_draws_belongs_to_the_space(space: SearchSpace, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(4):
        trial = study.ask()
        values = space.suggest(trial)
        space.check_values(values)
        assert all(type(value) in (bool, int, float, str, type(None)) for value in values.values())
        study.tell(trial, 0.0)
        # What the study keeps of it is enough to make it again.
        assert space.suggest(optuna.trial.FixedTrial(study.trials[-1].params)) == values


@settings(parent=SETTINGS, max_examples=10)
@given(spaces(), st.integers(0, 2**16))
def test_what_tpe_learns_to_draw_belongs_to_the_space(space: SearchSpace, seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=2))
    for value in range(5):
        trial = study.ask()
        space.check_values(space.suggest(trial))
        study.tell(trial, float(value))


@SETTINGS
@given(spaces(), st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_neither_fingerprint_nor_draws(space: SearchSpace, random: Any) -> None:
    def shuffled(mapping: Any) -> Any:
        items = list(mapping.items())
        random.shuffle(items)
        return dict(items)

    data = space.to_json()
    for part in ("parameters", "fixed", "conditions"):
        data[part] = shuffled(data[part])
    other = SearchSpace.from_json(data)
    assert other.fingerprint() == space.fingerprint()
    assert other == space

    def drawn(space: SearchSpace) -> dict[str, Any]:
        return space.suggest(optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask())

    assert drawn(other) == drawn(space)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[SearchSpace, SearchSpace]:
    one, other = draw(spaces()), draw(spaces())
    if draw(st.booleans()):
        # Two random spaces are never alike; most of a shared one with a part of its own may be.
        data = one.to_json()
        data["fixed"] = {name: draw(plain) for name in data["fixed"]}
        data["description"] = draw(texts(3))
        other = SearchSpace.from_json(data)
    return one, other


@SETTINGS
@given(pairs())
def test_the_difference_is_empty_exactly_when_the_fingerprints_agree(
    pair: tuple[SearchSpace, SearchSpace],
) -> None:
    one, other = pair
    assert (one.difference(other) == []) == (one.fingerprint() == other.fingerprint())
    assert (other.difference(one) == []) == (one.fingerprint() == other.fingerprint())
    for line in one.difference(other):
        before, arrow, after = line.partition(": ")[2].partition(" -> ")
        assert not arrow or before != after


@SETTINGS
@given(spaces())
def test_a_value_changed_to_one_outside_is_refused(space: SearchSpace) -> None:
    values = space.suggest(optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask())
    for name in values:
        with pytest.raises(InvalidSpace, match=name):
            space.check_values({**values, name: "nowhere to be found"})
        with pytest.raises(InvalidSpace, match=name):
            space.check_values({n: value for n, value in values.items() if n != name})


small = st.one_of(
    st.builds(lambda low, more: IntDistribution(low, low + more), st.integers(-3, 3), st.integers(0, 2)),
    st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(CategoricalDistribution),
    st.integers(0, 2).map(lambda steps: FloatDistribution(0.1, round(0.1 + steps * 0.1, 1), step=0.1)),
)


@SETTINGS
@given(spaces(small))
def test_the_size_is_the_number_of_configurations_that_can_be_drawn(space: SearchSpace) -> None:
    free = SearchSpace(name="free", description="", parameters=space.parameters)
    grid = free.grid()
    drawn = {
        tuple(
            sorted(
                space.suggest(optuna.trial.FixedTrial(dict(zip(grid, point, strict=True)))).items(), key=str
            )
        )
        for point in product(*grid.values())
    }
    assert space.size() == len(drawn)


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from spaces.registry import load_space; print(load_space('wide').fingerprint())"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert told == {load_space("wide").fingerprint() + "\n"}
