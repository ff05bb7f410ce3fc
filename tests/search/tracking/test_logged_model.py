"""A retraining has one logged model for each number of seeds, whatever crashed on the way."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.exceptions import MlflowException

from search.errors import TrackingDown
from search.tracking.models.save import log_model
from search.tracking.models.tested import ACCURACY, Tested
from search.tracking.store import TrackingStore

TESTED = Tested("night", 3, 6, 2, ACCURACY, (0.7, 0.8), data="digits abc", images=100)
CALLS = ["create_logged_model", "log_model_artifacts", "finalize_logged_model", "log_dict", "log_batch"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return TrackingStore(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}", "models")


@pytest.fixture
def run_id(store: TrackingStore) -> str:
    """A retraining's parent run."""
    return str(store.client.create_run(store.experiment_id).info.run_id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved model, as far as this is concerned."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}\n")
    return model


def logged(store: TrackingStore, run_id: str) -> list[LoggedModel]:
    return list(store.client.search_logged_models([store.experiment_id], f"source_run_id = '{run_id}'"))


def log(store: TrackingStore, run_id: str, folder: Path, tested: Tested = TESTED) -> str:
    evaluations = [{"accuracy": accuracy} for accuracy in tested.values]
    return log_model(
        store, run_id, folder, "night-best", tested, evaluations, tested_ms=1000 * len(evaluations)
    )


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("before", [True, False], ids=["refused", "answer lost"])
def test_a_model_is_logged_once_though_the_store_goes_away(
    call: str, before: bool, store: TrackingStore, run_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(MlflowClient, call)

    def away(*args: Any, **options: Any) -> None:
        if not before:
            real(*args, **options)
        raise MlflowException("the server has gone away")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, away)
        with pytest.raises(TrackingDown, match="the server has gone away"):
            log(store, run_id, folder)
    uri = log(store, run_id, folder)
    (model,) = logged(store, run_id)
    assert (model.model_uri, model.status) == (uri, "READY")
    run = store.client.get_run(run_id)
    assert run.data.tags["sweep.model_uri"] == uri
    assert len(store.client.get_metric_history(run_id, "test_acc")) == 1
    assert run.data.metrics["test_acc"] == pytest.approx(0.75)
    assert {file.path for file in store.client.list_artifacts(run_id)} == {"test-0.json", "test-1.json"}
    assert [file.path for file in store.client.list_logged_model_artifacts(model.model_id)] == ["MLmodel"]
    assert log(store, run_id, folder) == uri


def test_with_more_seeds_it_is_logged_anew(store: TrackingStore, run_id: str, folder: Path) -> None:
    first = log(store, run_id, folder)
    more = log(store, run_id, folder, dataclasses.replace(TESTED, values=(0.7, 0.8, 0.3), seeds=3))
    assert first != more
    assert {model.model_uri for model in logged(store, run_id)} == {first, more}
    run = store.client.get_run(run_id)
    assert run.data.tags["sweep.model_uri"] == more
    assert run.data.metrics["test_acc"] == pytest.approx(0.6), "the newest, though the first was better"
