"""`fit`: it learns, reports, and resumes to the bit."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pytorch_lightning.accelerators import CUDAAccelerator
from trainings import EpochReport, Trained, fit

from cifar_cnn.checkpoint import read_checkpoint
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.device import training_device
from cifar_cnn.errors import CheckpointError
from cifar_cnn.model import make_model
from cifar_cnn.optimizers import make_optimizer
from spaces import fast

TIMINGS = ("images_per_s",)

OnEpoch = Callable[[EpochReport], None]


def without_timings(result: Trained) -> list[dict[str, float]]:
    return [
        {name: value for name, value in metrics.items() if name not in TIMINGS} for metrics in result.history
    ]


def same_weights(one: Trained, two: Trained) -> bool:
    mine, theirs = one.model.state_dict(), two.model.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_learns_the_digits(digits_dir: Path) -> None:
    config = TrainConfig(depth=2, width=8, head_width=32, max_epochs=5, batch_size=32, augmentation=0.5)
    result = fit(config, DataConfig(data_dir=digits_dir))
    assert result.metrics["val_acc"] > 0.95
    assert result.metrics["train_loss"] < result.history[0]["train_loss"] / 2


def test_reports_every_epoch(tiny: TrainConfig, few_digits: DataConfig) -> None:
    reports: list[EpochReport] = []
    result = fit(tiny, few_digits, on_epoch=reports.append)
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.metrics for report in reports] == result.history
    assert result.metrics == result.history[-1]
    for metrics in result.history:
        assert list(metrics) == ["train_loss", "train_acc", "val_loss", "val_acc", *TIMINGS]
        assert all(type(value) is float and math.isfinite(value) for value in metrics.values())
        # Accuracies are exact shares of 200 and 100 images; losses have six digits.
        assert metrics["train_acc"] == round(metrics["train_acc"] * 200) / 200
        assert metrics["val_acc"] == round(metrics["val_acc"] * 100) / 100
        assert metrics["val_loss"] == float(f"{metrics['val_loss']:.6g}")
    assert not result.model.training
    assert result.loaded.class_names == tuple("0123456789")


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd"},
        {"optimizer": "adamw", "lr": 0.002, "schedule": "constant"},
        {"depth": 2, "momentum": 0.0, "warmup": 0.5, "label_smoothing": 0.1},
        {**fast.RECIPE, **fast.FIRST, "depth": 2, "width": 4, "batch_size": 32},
        {"optimizer": "muon", "momentum": 0.6, "convolutions": 3, "mirrored": True},
    ],
    ids=["sgd", "adamw", "warm-up", "recipe", "muon"],
)
def test_resumed_run_equals_the_uninterrupted_one_to_the_bit(
    changes: dict[str, object],
    tiny: TrainConfig,
    few_digits: DataConfig,
    tmp_path: Path,
    save_every_epoch: OnEpoch,
) -> None:
    config = TrainConfig(**{**tiny.model_dump(), **changes, "precision": "fp32"})
    whole = fit(config, few_digits, on_epoch=save_every_epoch)
    for epoch in (1, 2):
        torch.manual_seed(99)  # a worker has other random state by then
        resumed = fit(config, few_digits, checkpoint=tmp_path / f"epoch-{epoch}")
        assert without_timings(resumed) == without_timings(whole)
        assert resumed.history[:epoch] == whole.history[:epoch], "the past keeps its own timings"
        assert same_weights(resumed, whole)


def test_runs_with_one_seed_agree_and_with_two_differ(tiny: TrainConfig, few_digits: DataConfig) -> None:
    one, two = fit(tiny, few_digits), fit(tiny, few_digits)
    assert without_timings(one) == without_timings(two)
    assert same_weights(one, two)
    assert not same_weights(one, fit(tiny.model_copy(update={"seed": 4}), few_digits))


def test_resuming_a_finished_run_trains_nothing(
    tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path, save_every_epoch: OnEpoch
) -> None:
    whole = fit(tiny, few_digits, on_epoch=save_every_epoch)
    again = fit(
        tiny, few_digits, checkpoint=tmp_path / "epoch-3", on_epoch=lambda _: pytest.fail("trained on")
    )
    assert again.history == whole.history
    assert same_weights(again, whole)


def test_schedule_reaches_the_optimizer_and_survives_a_resume(
    tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path, save_every_epoch: OnEpoch
) -> None:
    fit(tiny, few_digits, on_epoch=save_every_epoch)
    rates = [
        read_checkpoint(tmp_path / f"epoch-{epoch}")["optimizer_states"][0]["param_groups"][0]["lr"]
        for epoch in (1, 2, 3)
    ]
    assert tiny.lr > rates[0] > rates[1] > rates[2] > 0
    fit(tiny, few_digits, checkpoint=tmp_path / "epoch-1", on_epoch=save_every_epoch)
    resumed = read_checkpoint(tmp_path / "epoch-3")["optimizer_states"][0]["param_groups"][0]["lr"]
    assert resumed == rates[2]


def test_train_and_val_together_has_no_validation(
    tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path, save_every_epoch: OnEpoch
) -> None:
    whole = fit(tiny, few_digits, train_on="train+val", on_epoch=save_every_epoch)
    assert list(whole.metrics) == ["train_loss", "train_acc", *TIMINGS]
    assert whole.metrics["train_acc"] == round(whole.metrics["train_acc"] * 300) / 300
    resumed = fit(tiny, few_digits, train_on="train+val", checkpoint=tmp_path / "epoch-1")
    assert same_weights(resumed, whole)
    with pytest.raises(CheckpointError, match=r"train_on: train\+val -> train"):
        fit(tiny, few_digits, checkpoint=tmp_path / "epoch-1")


def test_weight_decay_spares_biases_and_normalisation(tiny: TrainConfig) -> None:
    decayed, others = make_optimizer(tiny, make_model(tiny, 10)).param_groups
    assert {parameter.ndim for parameter in decayed["params"]} == {2, 4}
    assert {parameter.ndim for parameter in others["params"]} == {1}
    assert (decayed["weight_decay"], others["weight_decay"]) == (tiny.weight_decay, 0.0)


@pytest.fixture
def a_gpu_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """By torch and Lightning; there need not be one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(CUDAAccelerator, "is_available", lambda: True)


@pytest.mark.usefixtures("a_gpu_is_seen")
def test_on_cpu_leaves_a_gpu_alone_and_says_nothing_of_it(
    tiny: TrainConfig, few_digits: DataConfig, recwarn: pytest.WarningsRecorder
) -> None:
    assert training_device("auto").type == "cuda"
    assert len(fit(tiny, few_digits, gpus=0).history) == tiny.max_epochs
    assert not [warning for warning in recwarn if "GPU" in str(warning.message)]


def test_bf16_trains_too(tiny: TrainConfig, few_digits: DataConfig) -> None:
    result = fit(tiny.model_copy(update={"precision": "bf16"}), few_digits)
    assert math.isfinite(result.metrics["val_loss"])
    assert all(value.dtype != torch.bfloat16 for value in result.model.state_dict().values())


@pytest.mark.parametrize(
    ("changes", "difference"),
    [({"width": 5}, "width: 4 -> 5"), ({"lr": 0.01, "seed": 9}, "lr: 0.05 -> 0.01, seed: 3 -> 9")],
)
def test_checkpoint_of_another_configuration_is_refused(
    changes: dict[str, object],
    difference: str,
    tiny: TrainConfig,
    few_digits: DataConfig,
    tmp_path: Path,
    save_every_epoch: OnEpoch,
) -> None:
    fit(tiny, few_digits, on_epoch=save_every_epoch)
    with pytest.raises(CheckpointError, match=difference):
        fit(tiny.model_copy(update=changes), few_digits, checkpoint=tmp_path / "epoch-1")


def test_checkpoint_of_other_data_is_refused_but_other_paths_are_not(
    tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path, save_every_epoch: OnEpoch
) -> None:
    whole = fit(tiny, few_digits, on_epoch=save_every_epoch)
    other_split = few_digits.model_copy(update={"split_seed": 1})
    with pytest.raises(CheckpointError, match=r"data: digits \w+, split \w+ -> digits"):
        fit(tiny, other_split, checkpoint=tmp_path / "epoch-1")
    wider = tiny.model_copy(update={"width": 5})
    with pytest.raises(CheckpointError, match=r"width: 4 -> 5, train_on: train -> train\+val, data: digits"):
        fit(wider, other_split, checkpoint=tmp_path / "epoch-1", train_on="train+val")
    moved = few_digits.model_copy(update={"data_dir": tmp_path / "elsewhere"})
    assert same_weights(fit(tiny, moved, checkpoint=tmp_path / "epoch-1"), whole)
