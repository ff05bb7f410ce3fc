"""`auto` is settled once: a sweep that was made goes on with the names that it was made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from sweep_makers import FLAT, of_version_1, sweep_config

from search.policy.settling import settled
from spaces.space import SearchSpace


def test_auto_stands_for_names_that_the_definition_keeps() -> None:
    config = settled(sweep_config(sampler="auto", pruner="auto"))
    assert (config.sampler, config.pruner) == ("tpe", "asha")
    assert config.definition().to_json()["pruner"] == "asha"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"sampler": "random", "pruner": "median"}, ("random", "median")),
        ({"sampler": "random", "pruner": "auto"}, ("random", "asha")),
        ({"sampler": "auto", "pruner": "median"}, ("tpe", "median")),
    ],
)
def test_a_name_that_was_given_stays(given: dict[str, str], names: tuple[str, str]) -> None:
    config = settled(sweep_config(**given))
    assert (config.sampler, config.pruner) == names


WIDE = SearchSpace(
    name="three",
    description="Three numbers that vary, one that does not.",
    parameters={"same": FloatDistribution(1, 1), **{name: FloatDistribution(0, 1) for name in "abc"}},
)
SPACES = {"three": WIDE, "two": FLAT}
STOPS, FREEZES = ("tpe", "asha"), ("curves", "promotion")


@pytest.mark.parametrize(
    ("space", "fields", "names"),
    [
        ("three", {"max_epochs": 5}, FREEZES),
        ("three", {"max_epochs": 4}, STOPS),
        ("two", {"max_epochs": 9}, STOPS),
        ("three", {"max_epochs": 9, "budget": None, "trials": 50}, STOPS),
        ("three", {"max_epochs": 9, "sampler": "curves"}, FREEZES),
        ("three", {"max_epochs": 9, "sampler": "gp"}, ("gp", "asha")),
        ("three", {"max_epochs": 9, "pruner": "median"}, ("tpe", "median")),
        ("two", {"max_epochs": 3, "pruner": "promotion"}, FREEZES),
        ("three", {"max_epochs": 2}, ("tpe", "none")),
    ],
)
def test_trials_are_frozen_where_it_was_seen_to_find_more(
    space: str, fields: dict[str, Any], names: tuple[str, str]
) -> None:
    size = {"trials": None, "budget": "20x", "sampler": "auto", "pruner": "auto"}
    config = settled(sweep_config(space=SPACES[space], **{**size, **fields}))
    assert (config.sampler, config.pruner) == names


def test_a_sweep_that_was_made_goes_on_with_its_names_whatever_its_size(tmp_path: Path) -> None:
    sweep_config(tmp_path, sampler="qmc", pruner="median").save()
    grown = sweep_config(tmp_path, sampler="auto", pruner="auto", trials=None, budget="200x")
    assert (settled(grown).sampler, settled(grown).pruner) == ("qmc", "median")
    assert (
        settled(grown)
        .definition()
        .difference(sweep_config(sampler="qmc", pruner="median").definition().to_json())
        == []
    )


def test_a_sweep_of_an_earlier_version_goes_on_as_it_began(tmp_path: Path) -> None:
    made = sweep_config(tmp_path, sampler="tpe", pruner="auto", max_epochs=30)
    made.save()
    file = made.folder / "sweep.json"
    file.write_text(json.dumps(of_version_1(json.loads(file.read_text()))))
    again = settled(sweep_config(tmp_path, sampler="auto", pruner="auto", max_epochs=30))
    assert (again.sampler, again.pruner) == ("tpe", "hyperband")
