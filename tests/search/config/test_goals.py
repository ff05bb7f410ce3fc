"""A metric's direction comes from its name where nobody gives one, or nothing starts."""

from __future__ import annotations

import json
import logging

import pytest
from pydantic import ValidationError
from sweep_makers import sweep_config

from search.config.goals import Direction, Goal
from search.config.model import one_line
from search.config.sweep_config import SweepConfig


@pytest.mark.parametrize(
    "metric",
    [
        *("val_loss", "loss", "train_loss", "val/loss", "valid_rmse", "test mae", "valLoss", "Val_Loss"),
        *("val_mean_squared_error", "error_rate", "validation.nll", "mean_loss", "val_mean_loss", "ppl"),
    ],
)
def test_what_is_a_loss_is_minimised(metric: str) -> None:
    assert sweep_config(metric=metric).direction == "minimize"


@pytest.mark.parametrize(
    "metric", ["val_acc", "accuracy", "val/f1", "ValAUROC", "valid_top5_acc", "val_r2", "mean_iou"]
)
def test_what_is_a_score_is_maximised(metric: str) -> None:
    assert sweep_config(metric=metric).direction == "maximize"


@pytest.mark.parametrize(
    "metric", ["score", "m", "neg_loss", "-loss", "neg_mean_squared_error", "val_", "lossless"]
)
def test_a_name_that_tells_nothing_is_refused_until_a_direction_is_given(metric: str) -> None:
    with pytest.raises(ValidationError) as refused:
        sweep_config(metric=metric)
    told = one_line(refused.value)
    assert f"{metric!r}" in told
    assert 'give direction="maximize" or direction="minimize"' in told
    assert sweep_config(metric=metric, direction="maximize").direction == "maximize"


def test_what_is_said_goes_before_what_the_name_tells() -> None:
    assert sweep_config(metric="val_loss", direction="maximize").direction == "maximize"


def test_it_is_said_where_the_name_decided(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = sweep_config(metric="val_loss")
    assert caplog.messages == ["minimising val_loss, as its name tells; `direction` says otherwise"]
    caplog.clear()
    SweepConfig.model_validate(dict(config))
    sweep_config(metric="val_loss", direction="minimize")
    sweep_config()
    assert caplog.messages == []


def test_a_stored_sweep_keeps_its_direction() -> None:
    config = sweep_config(metric="m", direction="minimize")
    assert SweepConfig.model_validate(json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize(
    ("direction", "better", "best_first"),
    [
        ("maximize", [False, False, True], [0.3, 0.2, 0.1]),
        ("minimize", [True, False, False], [0.1, 0.2, 0.3]),
    ],
)
def test_a_goal_knows_what_is_better(
    direction: Direction, better: list[bool], best_first: list[float]
) -> None:
    goal = Goal("m", direction)
    assert [goal.better(value, than=0.2) for value in (0.1, 0.2, 0.3)] == better
    assert sorted([0.2, 0.3, 0.1], key=goal.sort_key) == best_first


def test_a_sweeps_goal_is_its_metric_and_direction() -> None:
    assert sweep_config(metric="val_loss").goal == Goal("val_loss", "minimize")
    assert str(sweep_config().goal) == "maximising val_acc"
