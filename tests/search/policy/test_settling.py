"""`auto` is settled once: a sweep that was made goes on with the names that it was made with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sweep_makers import of_version_1, sweep_config

from search.policy.settling import settled


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
