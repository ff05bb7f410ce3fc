"""Whose run in MLflow an evaluation's figures go to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from sweep_makers import open_ledger, run_trial, sweep_config

from cifar_cnn.evaluate import summarise
from search.cifar.sweep import OBJECTIVE
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.examine import Examination, examine, log_examination
from search.study.database import opened_storage
from search.tracking.repair.sweep_repair import sync_sweep

EVALUATION = summarise(torch.eye(2), torch.arange(2), ("cat", "dog"), "test")


def retrained(folder: Path) -> SweepConfig:
    """A retraining that has ended and that MLflow shows."""
    config = sweep_config(
        folder, name="night.retrain-000-e3", kind="retrain", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"
    )
    config.save()
    with opened_storage(config.storage_url) as storage:
        run_trial(open_ledger(config, storage), (0.5,))
    sync_sweep(config.name, folder)
    return config


def test_a_sweep_that_was_not_retrained_is_told_how_to_be(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, objective=OBJECTIVE)
    with pytest.raises(UserError, match=r"has no retrained model yet: retrain its best") as refusal:
        examine(config, tmp_path, corruptions=False)
    assert [step.action for step in refusal.value.steps] == ["retrain"]


def test_figures_go_to_this_retraining_not_to_a_deleted_one_of_its_name(tmp_path: Path) -> None:
    figure = tmp_path / "confusion.png"
    figure.write_bytes(b"pixels")
    first = retrained(tmp_path)
    shutil.rmtree(first.folder)
    second = retrained(tmp_path)
    assert log_examination(Examination(second, EVALUATION, {}, [figure]))
    client = MlflowClient(second.tracking_uri)
    experiment = client.get_experiment_by_name(second.experiment)
    assert experiment is not None
    parents = "tags.`sweep.kind` = 'retrain'"
    newest_first = client.search_runs(
        [experiment.experiment_id], parents, order_by=["attributes.start_time DESC"]
    )
    with_figures = [bool(client.list_artifacts(run.info.run_id, "figures")) for run in newest_first]
    assert with_figures == [True, False]
