"""What trains configurations again is an ordinary sweep: its name, its place, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweep_makers import FLAT, record, sweep_config

from search.cifar.sweep import OBJECTIVE
from search.config.names import NAME_RULE
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.confirm import confirm_config
from search.finalists.repeats import MOST_SEEDS, to_repeat_here, train_repeat
from search.finalists.retrain import retrain_config
from search.objective.context import TrialContext
from search.results.leaderboard import savings
from search.results.summary import SweepSummary

LONG = "a" * 64


def summary(sweeps_dir: Path, **fields: Any) -> SweepSummary:
    """Of a sweep of CNNs with no trials."""
    settings = {"data": {"dataset": "digits"}}
    config = sweep_config(sweeps_dir, objective=OBJECTIVE, settings=settings, space=FLAT, **fields)
    return SweepSummary(config, "id", [], {}, savings([], config.max_epochs))


@pytest.mark.parametrize(("sweep", "top"), [("night", 3), ("night", 11), (LONG, 1), (LONG, 40)])
def test_names_can_be_read_again_and_tell_all_of_them_apart(sweep: str, top: int, tmp_path: Path) -> None:
    of = summary(tmp_path, name=sweep)
    finalists = [record(number) for number in range(top)]
    configs = [confirm_config(of, more, 3) for more in (finalists, [*finalists, record(top + 1)])]
    configs += [retrain_config(of, finalists[0], 3, epochs) for epochs in (2, 3)]
    for config in configs:
        assert NAME_RULE.fullmatch(config.name), config.name
        assert config.name.startswith(f"{sweep[:20]}")
        config.save()
        assert SweepConfig.load(config.name, config.sweeps_dir).tags == config.tags
    assert len({config.name for config in configs}) == len(configs)
    assert configs[0].name == confirm_config(of, finalists, 5, sure=0.9).name, "more seeds go on from there"


def test_short_names_are_whole(tmp_path: Path) -> None:
    of = summary(tmp_path, name="night")
    assert confirm_config(of, [record(7), record(12)], 3).name == "night.confirm-race-007-012"
    assert retrain_config(of, record(7), 3, 60).name == "night.retrain-007-e60"


@pytest.mark.parametrize("seeds", [1, 5])
def test_a_retraining_keeps_every_seeds_model(seeds: int, tmp_path: Path) -> None:
    assert retrain_config(summary(tmp_path), record(0), seeds).keep_checkpoints == MOST_SEEDS


def test_too_many_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`seeds=1001`: train with 1 to 1000"):
        retrain_config(summary(tmp_path), record(0), MOST_SEEDS + 1)


def test_trainings_are_placed_as_is_asked_for_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.finalists.repeats.check_unchanged", lambda config: None)
    of = summary(tmp_path, gpus_per_trial=1, concurrency=4, ray_address="there:6379")
    here = to_repeat_here(of, {"gpus_per_trial": 0, "ray_address": "here:6379"})
    config = retrain_config(here, record(0), 2)
    assert (config.gpus_per_trial, config.concurrency, config.ray_address) == (0, 4, "here:6379")
    with pytest.raises(UserError, match=r"`gpus_per_trial=1.5`: a trial trains on one device"):
        to_repeat_here(of, {"gpus_per_trial": 1.5})


@pytest.mark.parametrize(("kind", "train_on"), [("confirm", "train"), ("retrain", "train+val")])
def test_a_retraining_learns_from_the_validation_images_too(
    kind: str, train_on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "search.finalists.repeats.train_reporting", lambda *_, train_on: asked.update(train_on=train_on)
    )
    settings = {"kind": kind, "arms": [{"depth": 1}]}
    train_repeat(
        {"arm": 0, "repeat": 0},
        TrialContext(max_epochs=1, scratch=tmp_path, on_report=print, settings=settings),
    )
    assert asked["train_on"] == train_on


def test_what_the_sweep_was_to_try_first_is_not_tried_again(tmp_path: Path) -> None:
    of = summary(tmp_path, enqueue=[{"lr": 0.05}])
    assert retrain_config(of, record(0), 2).enqueue == []
    assert confirm_config(of, [record(0)], 2).enqueue == []


def test_a_retraining_that_an_earlier_version_began_has_the_same_definition(tmp_path: Path) -> None:
    of = summary(tmp_path, seed=7, sampler_args={}, gpus_per_trial=1, time_budget=9.0)
    parameters = {
        name: {
            "name": "IntDistribution",
            "attributes": {"log": False, "step": 1, "low": 0, "high": high},
        }
        for name, high in (("arm", 0), ("repeat", 999))
    }
    stored = {
        "version": 1,
        "space": {
            "name": "seeds",
            "description": "Each configuration with each fresh seed.",
            "parameters": parameters,
            "fixed": {},
            "conditions": {},
        },
        "objective": "search.repeats:train_repeat",
        "settings": {
            "data": {"dataset": "digits"},
            "kind": "retrain",
            "arms": [{"optimizer": "sgd", "depth": 2, "lr": 0.1}],
        },
        "dataset": None,
        "metric": "train_acc",
        "direction": "maximize",
        "max_epochs": 9,
        "sampler": "grid",
        "sampler_args": {},
        "enqueue": [],
        "pruner": "none",
        "pruner_args": {},
        "seed": 7,
    }
    config = retrain_config(of, record(0), 2, 9)
    assert config.definition().difference(stored) == []
    assert (config.trials, config.time_budget, config.gpus_per_trial) == (2, None, 1)
