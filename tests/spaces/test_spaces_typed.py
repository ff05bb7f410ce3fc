"""What is typed on a command line means what it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.space import InvalidSpace, SearchSpace
from spaces.typed import value

MEANINGS: dict[str, Any] = {
    "True": True,
    "false": False,
    "FALSE": False,
    "None": None,
    "null": None,
    "3": 3,
    "-3": -3,
    "+3": 3,
    ".05": 0.05,
    "5.": 5.0,
    "1e-3": 0.001,
    "1E5": 100000.0,
    " 0.5 ": 0.5,
    "halton": "halton",
    '"5"': "5",
    "[1, 2]": [1, 2],
    '{"lr": 0.1}': {"lr": 0.1},
    "nan": "nan",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "1e999": "1e999",
    "[NaN]": "[NaN]",
    "0x10": "0x10",
    "": "",
}
SPACE = SearchSpace(
    name="typed",
    description="A range of each kind.",
    parameters={
        "lr": FloatDistribution(0.0, 1.0),
        "depth": IntDistribution(1, 20),
        "norm": CategoricalDistribution(["none", "batch"]),
        "bias": CategoricalDistribution([True, False]),
        "clip": CategoricalDistribution([None, 1.0, 5]),
        "size": CategoricalDistribution(["05", "1e1"]),
    },
)


@pytest.mark.parametrize(("text", "meaning"), MEANINGS.items())
def test_a_text_is_what_it_says(text: str, meaning: Any) -> None:
    assert value(text) == meaning
    assert type(value(text)) is type(meaning)


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_python_s_own_writing_is_read_back(plain: Any) -> None:
    assert value(str(plain)) == plain
    assert type(value(str(plain))) is type(plain)


@pytest.mark.parametrize(
    ("name", "text", "meaning"),
    [
        ("lr", ".05", 0.05),
        ("lr", "1e-3", 0.001),
        ("depth", "1e1", 10),
        ("depth", "3.0", 3),
        ("norm", "none", "none"),
        ("bias", "FALSE", False),
        ("clip", "None", None),
        ("clip", "1", 1.0),
        ("clip", "5.0", 5),
        ("size", "05", "05"),
        ("size", "1e1", "1e1"),
    ],
)
def test_a_range_reads_what_is_typed_for_it(name: str, text: str, meaning: Any) -> None:
    read = SPACE.read({name: text})
    assert read == {name: meaning}
    SPACE.check_some(read)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lr", "fast"),
        ("lr", "True"),
        ("lr", "nan"),
        ("depth", "deep"),
        ("depth", "3.5"),
        ("depth", "true"),
        ("norm", "batches"),
        ("norm", "None"),
        ("bias", "1"),
        ("bias", "yes"),
        ("clip", "5.5"),
    ],
)
def test_text_where_a_number_belongs_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidSpace, match="has to be"):
        SPACE.check_some(SPACE.read({name: text}))
