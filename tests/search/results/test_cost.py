"""Core-hours and GPU-hours, from what each epoch took and had."""

from __future__ import annotations

import pytest
from sweep_makers import epoch, record

from search.results.cost import Cost
from search.study.records import Epoch


def took(number: int, hours: float, cpus: float | None = 4.0, gpus: float | None = 0.5) -> Epoch:
    metrics = {"val_acc": 0.5, "epoch_s": 3600 * hours}
    return epoch(number, metrics=metrics, cpus=cpus, gpus=gpus)


def test_each_epoch_costs_what_its_trial_had_then() -> None:
    """A resume may give the trials more or less."""
    cost = Cost.of([record(0, epochs=(took(1, 0.5), took(2, 0.25, cpus=2.0, gpus=0.0)))])
    assert cost == Cost(core_hours=2.5, gpu_hours=0.25)
    assert str(cost) == "2.5 core-hours and 0.25 GPU-hours of training"


def test_what_a_retry_resumes_is_paid_once() -> None:
    lost = record(0, epochs=(took(1, 1),))
    retry = record(1, epochs=(*lost.epochs, took(2, 1)), retry_of=0)
    assert Cost.of([lost, retry]) == Cost(core_hours=8, gpu_hours=1)


@pytest.mark.parametrize("unknown", [took(2, 1, cpus=None, gpus=None), epoch(2, metrics={"val_acc": 0.5})])
def test_epochs_that_do_not_tell_are_not_taken_for_free(unknown: Epoch) -> None:
    assert Cost.of([]) is None
    assert Cost.of([record(0, epochs=(unknown,))]) is None
    cost = Cost.of([record(0, epochs=(took(1, 0.002, cpus=1, gpus=0), unknown))])
    assert str(cost) == "at least 0.002 core-hours of training"
