"""Text from outside is made such that everything takes it; text that a sweep is defined by is refused."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from pydantic import ValidationError
from sweep_makers import sweep_config

from search.study.launch_notes import describe_launch
from search.text import MOST_LETTERS, encodable, unencodable
from spaces.space import InvalidSpace, SearchSpace

BAD = ["a\udc80b", "a\0b", "\ud83d", "caf\udce9.png"]


@given(st.text(st.characters(categories=None), max_size=50))
def test_whatever_comes_in_is_encodable_and_shown(text: str) -> None:
    made = encodable(text)
    assert "\0" not in made
    assert made.encode().decode() == made
    assert all(letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cs") for letter in made)
    assert unencodable(made) is None
    assert encodable(made) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("no file caf\udce9.png", r"no file caf\udce9.png"),
        ("a\0b", r"a\x00b"),
        ("\x1b[2J gone", r"\x1b[2J gone"),
        ("two\n\tlines, naïve, 東京, 👍", "two\n\tlines, naïve, 東京, 👍"),
    ],
)
def test_what_cannot_be_shown_is_escaped_and_the_rest_is_kept(text: str, made: str) -> None:
    assert encodable(text) == made


def test_of_what_is_too_long_beginning_and_end_are_kept() -> None:
    made = encodable("begin" + "x" * 10_000_000 + "end")
    assert made.startswith("begin")
    assert made.endswith("xend")
    assert "... 9980108 letters left out ..." in made
    assert len(made) <= MOST_LETTERS
    assert encodable(made) == made


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "fields",
    [
        lambda bad: {"settings": {"a": [1, {"b": bad}]}},
        lambda bad: {"settings": {bad: 1}},
        lambda bad: {"paths": {"data": f"/data/{bad}"}},
        lambda bad: {"sweeps_dir": Path(f"/sweeps/{bad}")},
        lambda bad: {"experiment": bad},
        lambda bad: {"tags": {"why": bad}},
        lambda bad: {"metric": bad, "direction": "maximize"},
        lambda bad: {"dataset": {"name": bad, "digest": "d", "sizes": {"train": 1}, "classes": 2}},
    ],
)
def test_a_sweep_is_not_defined_by_text_that_cannot_be_stored(fields: Any, bad: str) -> None:
    with pytest.raises(ValidationError, match=r"cannot be stored|valid string"):
        sweep_config(**fields(bad))


@pytest.mark.parametrize("bad", BAD)
def test_a_space_neither(bad: str) -> None:
    choice = CategoricalDistribution(["good", bad])
    good = CategoricalDistribution(["good"])
    for fields in ({"parameters": {"a": choice}}, {"fixed": {"b": bad}}, {"name": bad}, {"description": bad}):
        with pytest.raises(InvalidSpace, match="without NUL and lone surrogates"):
            SearchSpace(**{"name": "s", "description": "d", "parameters": {"a": good}, **fields})


def test_a_command_line_that_is_no_utf8_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["launch_sweep.py", "--data-dir", "caf\udce9"])
    assert describe_launch()["command"] == r"launch_sweep.py --data-dir 'caf\udce9'"
