"""What a sweep will cost, measured where its trials will run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from search.cifar.sweep import cifar_config, data_config
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.launching.plan import plan_sweep


@pytest.fixture
def config(tmp_path: Path) -> SweepConfig:
    return cifar_config(
        space="quickstart",
        data=data_config("digits", tmp_path / "data", train_size=100, val_size=20),
        name="night",
        trials=3,
        max_epochs=2,
        gpus_per_trial=0,
        cpus_per_trial=1,
        sweeps_dir=tmp_path / "sweeps",
    )


def test_trials_on_cpus_are_measured_on_cpus_though_there_is_a_gpu(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    plan = plan_sweep(config)
    assert (plan.placement.gpus, plan.placement.cpus) == (0, 1)
    assert plan.cost is not None
    assert plan.cost.seconds > 0


def test_a_plan_is_made_where_no_process_is_pinned_to_cores(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which has no such call."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert plan_sweep(config).slots == 3


def test_a_largest_model_that_does_not_fit_is_refused(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 10**6}))
    with pytest.raises(UserError, match=r"largest model takes .* share 1 MB: narrow its width"):
        plan_sweep(config)


def test_a_budget_of_epochs_is_what_the_time_is_worked_out_for(
    config: SweepConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifar_cnn.probe.training_images_per_s", lambda *_, **__: 100.0)
    counted = config.model_copy(update={"concurrency": 1})

    def seconds_of(each: SweepConfig) -> float:
        cost = plan_sweep(each).cost
        assert cost is not None
        return cost.seconds

    seconds = seconds_of(counted)
    for size, share in (({"trials": None, "budget": "6x"}, 2), ({"budget": 3}, 0.5), ({"budget": "9x"}, 1)):
        assert seconds_of(counted.model_copy(update=size)) == pytest.approx(share * seconds)
    budgeted = counted.model_copy(update={"trials": None, "budget": "6x"})
    told = dict(plan_sweep(budgeted).lines(budgeted))
    assert told["sweep"] == "night: 12 epochs in trials of up to 2"
    assert "if nothing is pruned" not in told["time"]
    assert (told["sampler"], told["pruner"]) == ("tpe", "none")
