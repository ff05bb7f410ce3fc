"""The objective of a sweep, with a sweep that is only pretended."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from cifar_cnn import device
from cifar_cnn.checkpoint import load_checkpoint
from cifar_cnn.config import DataConfig
from search.cifar.objective import train_trial
from search.objective.context import Steps, TrialContext, TrialStopped

FIXED = {"head_width": 8, "batch_size": 64, "precision": "fp32"}
PARAMS = {"depth": 1, "width": 4, "lr": 0.03, **FIXED}


class PretendedSweep:
    """Keeps what is reported, and copies checkpoints away as a sweep does."""

    def __init__(self, data: DataConfig, folder: Path) -> None:
        self.storage, self.stop_after = folder / "storage", 0
        self.reports: list[tuple[int, Mapping[str, float]]] = []
        (folder / "scratch").mkdir()
        self.context = TrialContext(
            max_epochs=3,
            scratch=folder / "scratch",
            on_report=self._take,
            number=7,
            seed=11,
            settings=json.loads(json.dumps({"data": data.model_dump(mode="json", exclude={"data_dir"})})),
            paths={"data": str(data.data_dir)},
        )

    def _take(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None, _: Steps) -> None:
        assert checkpoint is not None
        shutil.copytree(checkpoint, self.storage / str(epoch))
        self.reports.append((epoch, metrics))
        self.context.epochs_done = epoch
        if epoch == self.stop_after:
            raise TrialStopped(0)


@pytest.fixture
def sweep(few_digits: DataConfig, tmp_path: Path) -> PretendedSweep:
    return PretendedSweep(few_digits, tmp_path)


def test_reports_each_epoch_with_its_checkpoint(sweep: PretendedSweep) -> None:
    train_trial(PARAMS, sweep.context)
    assert [epoch for epoch, _ in sweep.reports] == [1, 2, 3]
    for epoch, metrics in sweep.reports:
        loaded = load_checkpoint(sweep.storage / str(epoch))
        assert loaded.history[-1] == metrics
        assert len(loaded.history) == epoch
    config = loaded.train_config
    assert (config.lr, config.seed, config.max_epochs, config.head_width) == (0.03, 11, 3, 8)
    assert list(sweep.context.scratch.iterdir()) == []


def test_goes_on_from_a_checkpoint(sweep: PretendedSweep) -> None:
    train_trial(PARAMS, sweep.context)
    uninterrupted = [metrics["val_loss"] for _, metrics in sweep.reports]
    sweep.context.checkpoint, sweep.context.epochs_done = sweep.storage / "1", 1
    sweep.reports.clear()
    shutil.rmtree(sweep.storage / "2")
    shutil.rmtree(sweep.storage / "3")
    train_trial(PARAMS, sweep.context)
    assert [epoch for epoch, _ in sweep.reports] == [2, 3]
    assert [metrics["val_loss"] for _, metrics in sweep.reports] == uninterrupted[1:]


def test_ends_when_the_sweep_says_so(sweep: PretendedSweep) -> None:
    sweep.stop_after = 2
    with pytest.raises(TrialStopped):
        train_trial(PARAMS, sweep.context)
    assert [epoch for epoch, _ in sweep.reports] == [1, 2]


@pytest.mark.parametrize(("gpus", "asked_for"), [(0.0, "cpu"), (0.5, "auto"), (1.0, "auto")])
def test_a_trial_without_gpus_trains_on_the_cpu(
    gpus: float, asked_for: str, sweep: PretendedSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(device, "training_device", lambda kind: asked.append(kind) or torch.device("cpu"))
    sweep.context.gpus = gpus
    train_trial(PARAMS, sweep.context)
    assert asked == [asked_for]


@pytest.mark.parametrize(
    ("params", "message"),
    [({"widht": 8}, "Did you mean 'width'"), ({"lr": -1.0}, "lr"), ({"depth": 9}, "depth")],
)
def test_bad_parameters_are_refused_before_training(
    params: dict[str, Any], message: str, sweep: PretendedSweep
) -> None:
    with pytest.raises(ValueError, match=message):
        train_trial(params, sweep.context)
    assert sweep.reports == []
