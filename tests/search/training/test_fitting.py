"""A LightningModule is trained as a trial: reported, resumed to the bit, stopped as Lightning stops."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from modules import SCHEDULERS, Blobs, Perceptron, Unvalidated, patient
from pytorch_lightning.callbacks import LearningRateMonitor, ModelCheckpoint
from recorded import EPOCHS, Recorded, objective_of

from search.objective.context import TrialContext
from search.training.fitting import fit_trial


@pytest.mark.parametrize(
    ("schedule", "workers"), [*((schedule, 0) for schedule in SCHEDULERS), ("plateau", 2)]
)
def test_a_training_that_is_interrupted_at_each_epoch_ends_as_one_that_is_not(
    tmp_path: Path, schedule: str, workers: int
) -> None:
    params = {"lr": 0.5, "schedule": schedule, "workers": workers}
    objective = objective_of(Perceptron, Blobs)
    whole, resumed = Recorded(tmp_path / "whole"), Recorded(tmp_path / "resumed")
    whole.attempt(objective, params)
    for epoch in range(1, EPOCHS):
        resumed.attempt(objective, params, until=epoch)
    resumed.attempt(objective, params)
    assert list(whole.metrics) == list(range(1, EPOCHS + 1))
    assert resumed.metrics == whole.metrics


def test_each_validated_epoch_is_one_report_of_all_that_is_logged(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    objective = objective_of(
        Perceptron,
        Blobs,
        max_epochs=2 * EPOCHS,
        trainer={"check_val_every_n_epoch": 2, "log_every_n_steps": 5},
    )
    trial.attempt(objective, {"lr": 0.1})
    assert list(trial.metrics) == list(range(1, EPOCHS + 1))
    assert set(trial.metrics[1]) == {"train_loss", "train_loss_epoch", "lr", "val_loss", "val_acc"}
    # 13 batches an epoch, two epochs a report.
    assert [step for step, _ in trial.steps[1]["train_loss_step"]] == [4, 9, 14, 19, 24]
    assert next(step for step, _ in trial.steps[2]["lr_step"]) == 29


def test_metrics_are_the_numbers_that_were_logged(tmp_path: Path) -> None:
    class Logging(Perceptron):
        def on_train_epoch_end(self) -> None:
            self.log_dict({"share": 0.1, "large": 123456.0, "tiny": 1e-30})

    trial = Recorded(tmp_path)
    trial.attempt(objective_of(Logging, Blobs), {"lr": 0.1})
    logged = {name: trial.metrics[1][name] for name in ("share", "large", "tiny")}
    assert logged == {"share": 0.1, "large": 123456.0, "tiny": 1e-30}, "not as single precision has them"


def test_a_validation_within_an_epoch_is_a_step(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    trial.attempt(objective_of(Perceptron, Blobs, trainer={"val_check_interval": 0.5}), {"lr": 0.1})
    assert list(trial.metrics) == list(range(1, EPOCHS + 1))
    assert [step for step, _ in trial.steps[2]["val_loss_step"]] == [18, 24]
    assert "val_loss" in trial.metrics[2]


def rates() -> list[Any]:
    return [LearningRateMonitor("epoch"), ModelCheckpoint(save_top_k=1, monitor="val_loss")]


def test_lightnings_own_callbacks_log_and_save_as_they_do(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    trial.attempt(objective_of(Perceptron, Blobs, rates), {"lr": 0.1})
    assert [len(trial.steps[epoch]["lr-SGD_step"]) for epoch in trial.metrics] == [1] * EPOCHS
    assert trial.steps[2]["lr-SGD_step"][0][1] == pytest.approx(0.07)
    assert len(list(tmp_path.glob("scratch-*/**/checkpoints/*.ckpt"))) == 1


class Drawing(Perceptron):
    """It uses a logger of its own choice."""

    def on_validation_epoch_end(self) -> None:
        self.logger.experiment.add_scalar("x", 1.0)


def test_a_module_that_draws_in_a_logger_is_let_draw(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    trial.attempt(objective_of(Drawing, Blobs), {"lr": 0.1})
    assert len(trial.metrics) == EPOCHS


def test_early_stopping_ends_a_trial_and_is_not_undone_by_a_resume(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    objective = objective_of(Perceptron, Blobs, patient)
    trial.attempt(objective, {"lr": 0.1})
    assert list(trial.metrics) == [1, 2]
    trial.attempt(objective, {"lr": 0.1})  # as after a crash before the trial's end was written
    assert list(trial.metrics) == [1, 2]


def test_checkpoints_are_as_rare_as_one_likes_and_there_where_a_trial_freezes(tmp_path: Path) -> None:
    rare = Recorded(tmp_path / "rare")
    rare.attempt(objective_of(Perceptron, Blobs, checkpoint_every="1h"), {"lr": 0.1}, freezes_at=2)
    assert rare.saved == [2, EPOCHS]
    third = Recorded(tmp_path / "third")
    third.attempt(objective_of(Perceptron, Blobs, checkpoint_every_n_epochs=3), {"lr": 0.1})
    assert third.saved == [3, EPOCHS]


class Ends(pl.Callback):
    """Writes down how Lightning ends."""

    ended: ClassVar[list[str]] = []

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.ended.append("on_train_end")

    def teardown(self, trainer: Any, module: Any, stage: str) -> None:
        self.ended.append("teardown")

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        self.ended.append("on_exception")


def ends() -> list[Any]:
    return [Ends()]


def test_a_pruned_trial_ends_as_lightning_ends_even_before_its_least_epochs(tmp_path: Path) -> None:
    Ends.ended.clear()
    trial = Recorded(tmp_path)
    trial.attempt(objective_of(Perceptron, Blobs, ends, trainer={"min_epochs": 4}), {"lr": 0.1}, until=1)
    assert list(trial.metrics) == [1]
    assert Ends.ended == ["on_train_end", "teardown"]


def test_a_training_leaves_its_process_as_it_was(tmp_path: Path) -> None:
    before = torch.get_num_threads(), random.getstate(), torch.get_rng_state(), np.random.get_state()[1]
    trial = Recorded(tmp_path)
    trial.attempt(objective_of(Perceptron, Blobs), {"lr": 0.1, "workers": 2}, until=1, cpus=1.0)
    assert torch.get_num_threads() == before[0]
    assert random.getstate() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert np.array_equal(np.random.get_state()[1], before[3])
    assert multiprocessing.active_children() == []


def test_data_without_a_validation_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no val_dataloader"):
        Recorded(tmp_path).attempt(objective_of(Perceptron, Unvalidated), {"lr": 0.1})


def test_what_is_no_lightning_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TypeError, match=r"Linear is no LightningModule: derive it from one of pytorch_lightning"
    ):
        fit_trial(TrialContext(max_epochs=1, scratch=tmp_path, on_report=print), torch.nn.Linear(1, 1))


class Unvalidating(Blobs):
    """All data are trained on."""

    def val_dataloader(self) -> Any:
        return []


def test_a_training_on_all_data_reports_every_epoch(tmp_path: Path) -> None:
    trial = Recorded(tmp_path)
    objective = objective_of(Perceptron, Unvalidating, validates=False)
    trial.attempt(objective, {"lr": 0.1}, until=2)
    trial.attempt(objective, {"lr": 0.1})
    assert [metrics["epochs"] for metrics in trial.metrics.values()] == list(range(1, EPOCHS + 1))
    assert all("train_loss" in metrics and "val_acc" not in metrics for metrics in trial.metrics.values())


def test_a_gpu_that_torch_does_not_see_is_told_with_what_to_do(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("torch sees a GPU here")
    with pytest.raises(ValueError, match=r"has 0.5 GPUs and torch sees none: .* `gpus_per_trial=0`"):
        Recorded(tmp_path).attempt(objective_of(Perceptron, Blobs), {"lr": 0.1}, gpus=0.5)
