"""The objective of a sweep, with a sweep that is only pretended."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from cifar_cnn import train
from cifar_cnn.config import DataConfig
from cifar_cnn.objective import TrialContext, train_trial
from cifar_cnn.train import load_checkpoint

FIXED = {"head_width": 8, "batch_size": 64, "precision": "fp32"}
PARAMS = {"depth": 1, "width": 4, "lr": 0.03, **FIXED}


@dataclass
class PretendedSweep:
    """Keeps what is reported, and copies checkpoints away as a sweep does."""

    settings: Mapping[str, Any]
    paths: Mapping[str, str]
    scratch: Path
    storage: Path
    checkpoint: Path | None = None
    number: int = 7
    seed: int = 11
    max_epochs: int = 3
    cpus: float = 1.0
    gpus: float = 0.0
    stop_after: int | None = None
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        assert checkpoint is not None
        shutil.copytree(checkpoint, self.storage / str(epoch))
        self.reports.append((epoch, dict(metrics)))
        if epoch == self.stop_after:
            raise SystemExit(0)


@pytest.fixture
def sweep(few_digits: DataConfig, tmp_path: Path) -> PretendedSweep:
    (tmp_path / "scratch").mkdir()
    settings = json.loads(json.dumps({"data": few_digits.model_dump(mode="json", exclude={"data_dir"})}))
    paths = {"data": str(few_digits.data_dir)}
    return PretendedSweep(settings, paths, tmp_path / "scratch", tmp_path / "storage")


def test_reports_each_epoch_with_its_checkpoint(sweep: PretendedSweep) -> None:
    context: TrialContext = sweep
    train_trial(PARAMS, context)
    assert [epoch for epoch, _ in sweep.reports] == [1, 2, 3]
    for epoch, metrics in sweep.reports:
        loaded = load_checkpoint(sweep.storage / str(epoch))
        assert loaded.history[-1] == metrics
        assert len(loaded.history) == epoch
    config = loaded.train_config
    assert (config.lr, config.seed, config.max_epochs, config.head_width) == (0.03, 11, 3, 8)
    assert list(sweep.scratch.iterdir()) == []


def test_goes_on_from_a_checkpoint(sweep: PretendedSweep) -> None:
    train_trial(PARAMS, sweep)
    uninterrupted = [metrics["val_loss"] for _, metrics in sweep.reports]
    sweep.checkpoint = sweep.storage / "1"
    sweep.reports.clear()
    shutil.rmtree(sweep.storage / "2")
    shutil.rmtree(sweep.storage / "3")
    train_trial(PARAMS, sweep)
    assert [epoch for epoch, _ in sweep.reports] == [2, 3]
    assert [metrics["val_loss"] for _, metrics in sweep.reports] == uninterrupted[1:]


def test_ends_when_the_sweep_says_so(sweep: PretendedSweep) -> None:
    sweep.stop_after = 2
    with pytest.raises(SystemExit):
        train_trial(PARAMS, sweep)
    assert [epoch for epoch, _ in sweep.reports] == [1, 2]


@pytest.mark.parametrize(("gpus", "asked_for"), [(0.0, "cpu"), (0.5, "auto"), (1.0, "auto")])
def test_a_trial_without_gpus_trains_on_the_cpu(
    gpus: float, asked_for: str, sweep: PretendedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(train, "training_device", lambda kind: asked.append(kind) or torch.device("cpu"))
    sweep.gpus = gpus
    train_trial(PARAMS, sweep)
    assert asked == [asked_for]


@pytest.mark.parametrize(
    ("params", "message"),
    [({"widht": 8}, "Did you mean 'width'"), ({"lr": -1.0}, "lr"), ({"depth": 9}, "depth")],
)
def test_bad_parameters_are_refused_before_training(
    params: dict[str, Any], message: str, sweep: PretendedSweep
) -> None:
    with pytest.raises(ValueError, match=message):
        train_trial(params, sweep)
    assert sweep.reports == []
