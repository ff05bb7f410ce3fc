"""Options of the Trainer that work go through; the others are refused by name, with what to do instead."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import pytorch_lightning as pl
from modules import Blobs, Perceptron, patient
from optuna.distributions import FloatDistribution

from search.errors import UserError
from search.lightning import lightning_sweep
from search.training import trainer_options

SPACE = {"lr": FloatDistribution(1e-4, 1.0, log=True)}


def test_every_option_of_lightning_is_left_to_the_user_or_decided() -> None:
    options = set(inspect.signature(pl.Trainer.__init__).parameters) - {"self"}
    assert options == trainer_options.ALLOWED | set(trainer_options._DECIDED)
    assert not trainer_options.ALLOWED & set(trainer_options._DECIDED)


def sweep(**fields: Any) -> Any:
    given = {"space": SPACE, "metric": "val_acc", "max_epochs": 20, "trials": 3, **fields}
    return lightning_sweep(Perceptron, Blobs, **given)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"trainer": {"devices": 2}}, "'devices': a trial trains on one device"),
        ({"trainer": {"gradient_clip": 1}}, "'gradient_clip'; did you mean 'gradient_clip_val'"),
        ({"trainer": {"fast_dev_run": True}}, "it takes over the loop"),
        ({"trainer": {"check_val_every_n_epoch": None}}, "give a whole number of epochs"),
        ({"trainer": {"check_val_every_n_epoch": 21}}, "no epoch of `max_epochs=20` is validated"),
        ({"callbacks": lambda: [patient]}, "use a function defined at the top of a module"),
        ({"checkpoint_every": "often"}, "write a positive number and a unit"),
        ({"trials": None}, "how large the sweep is nobody says"),
        ({"space": {"rate": SPACE["lr"]}}, "neither Perceptron nor Blobs takes 'rate'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(fields: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sweep(**fields)


def test_a_sweep_is_its_definition() -> None:
    config = sweep(callbacks=patient, trainer={"check_val_every_n_epoch": 2}, checkpoint_every="30s").config
    assert (config.name, config.max_epochs, config.objective) == ("perceptron", 10, "modules:Perceptron")
    assert config.settings["lightning"] == {
        "max_epochs": 20,
        "data": "modules:Blobs",
        "callbacks": "modules:patient",
        "trainer": {"check_val_every_n_epoch": 2},
        "checkpoint_every_n_epochs": 1,
        "checkpoint_every": 30.0,
        "validates": True,
    }
