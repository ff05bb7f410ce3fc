"""What a sweep takes from earlier ones: their best, as far as it can have it, and what differs is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from sweep_makers import epoch, open_ledger, run_trial, sweep_config

from search.config.definition import DatasetNote
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.choosing import choose_finalists
from search.finalists.confirm import confirm_config
from search.launching.earlier import learn
from search.launching.request import SweepRequest
from search.objective.repeated import ARM
from search.results.summary import summarise
from search.study.database import opened_storage
from spaces.space import SearchSpace

NOTE = DatasetNote(name="digits", digest="a", sizes={"train": 100, "val": 50}, classes=10)


def space(**ranges: Any) -> SearchSpace:
    return SearchSpace(name="s", description="Some.", parameters=ranges)


LR, DEPTH = FloatDistribution(1e-4, 1.0, log=True), IntDistribution(1, 6)


def swept(
    folder: Path, name: str, tried: Sequence[tuple[Mapping[str, Any], float]], **fields: Any
) -> SweepConfig:
    """A sweep of trials with these parameters and values."""
    defaults: dict[str, Any] = {"space": space(lr=LR, depth=DEPTH), "sampler": "random", "pruner": "none"}
    defaults |= {"trials": max(1, len(tried)), "enqueue": [dict(params) for params, _ in tried]}
    config = sweep_config(folder, name=name, max_epochs=1, **{**defaults, **fields})
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for _, value in tried:
            run_trial(ledger, [value])
    return config


def new(**fields: Any) -> SweepConfig:
    return sweep_config(**{"name": "new", "space": space(lr=LR, depth=DEPTH), "trials": 16, **fields})


NIGHT = [({"lr": 0.1, "depth": 3}, 0.8), ({"lr": 0.12, "depth": 3}, 0.79), ({"lr": 0.001, "depth": 1}, 0.7)]
DAY = [({"lr": 0.9, "depth": 6}, 0.6), ({"lr": 0.01, "depth": 5}, 0.9)]


def test_the_distinct_configurations_of_all_sweeps_are_taken(tmp_path: Path) -> None:
    swept(tmp_path, "night", NIGHT)
    swept(tmp_path, "day", DAY)
    learnt = learn(new(), ["night", "day"], tmp_path)
    assert sorted(learnt.prior, key=lambda each: float(each["lr"])) == [
        {"lr": 0.001, "depth": 1},
        {"lr": 0.01, "depth": 5},
        {"lr": 0.1, "depth": 3},
        {"lr": 0.9, "depth": 6},
    ]
    assert learnt.enqueue == learnt.prior[:3]
    assert learn(new(trials=4), ["night"], tmp_path).enqueue == [{"lr": 0.1, "depth": 3}]


def test_trials_that_were_not_completed_tell_where_not_to_begin(tmp_path: Path) -> None:
    by_lr = [0.002, 0.005, 0.02, 0.05, 0.2, 0.5]
    swept(tmp_path, "night", [({"lr": lr, "depth": 3}, 0.9 - abs(lr - 0.3)) for lr in by_lr])
    day = [({"lr": lr, "depth": 3}, 0.9 - 2 * lr) for lr in by_lr]
    config = swept(tmp_path, "day", day[:2], trials=6, enqueue=[dict(params) for params, _ in day])
    assert learn(new(), ["night", "day"], tmp_path).prior[0]["lr"] == 0.2
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for _, value in day[2:]:
            ledger.report(ledger.start(ledger.ask().number).number, epoch(1, value))
    assert learn(new(), ["night", "day"], tmp_path).prior[0]["lr"] == 0.05


@pytest.mark.parametrize(
    ("size", "first"),
    [({"trials": 40}, 3), ({"trials": None, "budget": "20x"}, 5), ({"trials": None, "budget": "4x"}, 1)],
)
def test_more_are_tried_first_where_that_takes_an_epoch_each(
    tmp_path: Path, size: dict[str, Any], first: int
) -> None:
    swept(tmp_path, "night", [({"lr": 0.5**depth, "depth": depth}, 0.1 * depth) for depth in range(1, 7)])
    config = new(**{"pruner": "promotion" if "budget" in size else "asha", "max_epochs": 5, **size})
    assert len(learn(config, ["night"], tmp_path).enqueue) == first


def test_what_was_confirmed_comes_before_what_only_looked_better(tmp_path: Path) -> None:
    config = swept(tmp_path, "night", [NIGHT[0], NIGHT[2]])
    summary = summarise("night", tmp_path)
    confirming = confirm_config(summary, choose_finalists(summary, 2), seeds=2)
    confirming.save()
    with opened_storage(confirming.storage_url) as storage:
        ledger = open_ledger(confirming, storage)
        while (choice := ledger.choose()) is not None:
            number = ledger.start(ledger.ask(choice).number).number  # type: ignore[arg-type]
            value = 0.5 + 0.2 * ledger.record(number).params[ARM] + number / 1000
            ledger.report(number, epoch(1, value))
            ledger.complete(number)
    assert learn(new(), [config.name], tmp_path).prior[0] == {"lr": 0.001, "depth": 1}


def test_values_that_this_sweep_cannot_have_are_left_open_and_told(tmp_path: Path) -> None:
    swept(tmp_path, "night", NIGHT[:1], dataset=NOTE)
    narrower = space(lr=FloatDistribution(1e-4, 0.05, log=True), depth=DEPTH, width=IntDistribution(8, 64))
    data = NOTE.model_copy(update={"name": "cifar10", "digest": "b"})
    learnt = learn(new(space=narrower, dataset=data), ["night"], tmp_path)
    assert learnt.prior == [{"depth": 3}]
    line, count = learnt.lines
    assert count == "1 of 1 configurations that they have found are tried first"
    assert line.startswith("learning from night: lr, depth in common; ")
    assert "lr: float 0.0001..1.0, log -> float 0.0001..0.05, log" in line
    assert "data: digits (100 train) -> cifar10 (100 train)" in line


def test_of_values_that_lie_outside_nothing_is_taken(tmp_path: Path) -> None:
    tried = [({"lr": 0.5}, 0.8), ({"lr": 0.9}, 0.7)]
    config = swept(
        tmp_path,
        "night",
        tried,
        space=space(lr=LR),
        trials=3,
        enqueue=[{"lr": lr} for lr in (0.5, 0.9, 0.01)],
    )
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        ledger.report(ledger.start(ledger.ask().number).number, epoch(1, 0.6))
    learnt = learn(new(space=space(lr=FloatDistribution(1e-4, 0.1, log=True))), ["night"], tmp_path)
    assert (learnt.enqueue, learnt.prior) == ([], [])
    assert "lr: float 0.0001..1.0, log -> float 0.0001..0.1, log" in learnt.lines[0]


def test_a_fixed_value_of_then_is_one_of_a_parameter_now(tmp_path: Path) -> None:
    fixed = SearchSpace(name="s", description="One.", parameters={"lr": LR}, fixed={"depth": 2})
    swept(tmp_path, "night", [({"lr": 0.1}, 0.5)], space=fixed)
    assert learn(new(), ["night"], tmp_path).prior == [{"lr": 0.1, "depth": 2}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"metric": "val_loss"},
            "it has the goal .*val_acc.*, and this sweep .*val_loss",
        ),
        ({"space": space(width=IntDistribution(1, 9))}, r"none of this sweep's parameters \(width\)"),
        ({"sampler": "grid", "space": space(depth=DEPTH)}, "a grid tries everything"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(tmp_path: Path, fields: dict[str, Any], told: str) -> None:
    swept(tmp_path, "night", NIGHT)
    with pytest.raises(UserError, match=told):
        learn(new(**fields), ["night"], tmp_path)


def test_a_sweep_that_is_missing_or_has_found_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="night"):
        learn(new(), ["night"], tmp_path)
    swept(tmp_path, "night", [])
    with pytest.raises(UserError, match="`learn_from=night`: it has no completed trial to learn from"):
        learn(new(), ["night"], tmp_path)


def test_it_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swept(tmp_path, "night", NIGHT)
    monkeypatch.setattr("search.cifar.sweep.cifar_config", lambda **_: new(enqueue=[{"lr": 0.5}]))
    asked = SweepRequest.of({"learn_from": ["night"], "sweeps_dir": tmp_path, "name": "new"})
    config = asked.config("new")
    assert config.enqueue == [{"lr": 0.5}, {"lr": 0.1, "depth": 3}, {"lr": 0.001, "depth": 1}]
    assert config.prior == config.enqueue[1:]


@pytest.mark.parametrize(
    ("given", "seed", "told"),
    [
        ({}, 2, "seed 2: an earlier sweep drew with 0"),
        (
            {"seed": 1},
            1,
            "`seed=1`: an earlier sweep drew with it, and this one may draw the same: 2 is free",
        ),
        ({"seed": 7}, 7, None),
    ],
)
def test_what_earlier_sweeps_drew_is_not_drawn_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, int],
    seed: int,
    told: str | None,
) -> None:
    for number, name in enumerate(["night", "day"]):
        swept(tmp_path, name, NIGHT, seed=number)
    monkeypatch.setattr("search.cifar.sweep.cifar_config", lambda **fields: new(seed=fields["seed"]))
    asked = SweepRequest.of({"learn_from": ["day", "night"], "sweeps_dir": tmp_path, "name": "new", **given})
    with caplog.at_level("INFO"):
        assert asked.config("new").seed == seed
    assert [line for line in caplog.messages if "seed" in line] == ([told] if told else [])


def test_a_sweep_that_is_named_twice_is_learnt_from_once(tmp_path: Path) -> None:
    swept(tmp_path, "night", NIGHT)
    learnt = learn(new(max_epochs=3), ["night", "night"], tmp_path)
    assert learnt.lines == [
        "learning from night: lr, depth in common; epochs of a trial: 1 -> 3",
        "2 of 2 configurations that they have found are tried first",
    ]
