"""Retraining continues by the same command after anything: a tiny network is really trained."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from optuna.trial import TrialState
from PIL import Image
from script_runs import write_space

from cifar_cnn.errors import DataError
from cifar_cnn.prepare import open_data
from search.cifar.sweep import cifar_config, data_config, data_of, dataset_note
from search.config.sweep_config import SweepConfig
from search.errors import SweepFailed, UserError
from search.finalists.confirm import confirm, confirm_config
from search.finalists.examine import examine
from search.finalists.reads_of_test import reads_of_test
from search.finalists.repeats import to_repeat_here
from search.finalists.retrain import Retrained, final_checkpoint, first_seed, retrain, retrain_config
from search.finalists.training_images import training_images
from search.objective.repeated import ARMS, KIND, REPEATS
from search.results.leaderboard import savings
from search.results.summary import SweepSummary
from search.study.records import TrialRecord

BEST = TrialRecord(0, TrialState.COMPLETE, {"lr": 0.01}, value=0.5)
SECOND = TrialRecord(1, TrialState.COMPLETE, {"lr": 0.001}, value=0.4)


def sweep_on_images(folder: Path, tracking_uri: str) -> SweepSummary:
    """A sweep on a folder of images, as far as a retraining needs one."""
    # Others for each test: all share an MLflow store, which counts who has read a test set.
    pixels = np.random.default_rng(list(folder.name.encode()))
    for split, count in (("train", 10), ("test", 4)):
        for label in ("cat", "dog"):
            images = folder / "images" / split / label
            images.mkdir(parents=True)
            for number in range(count):
                image = pixels.integers(0, 255, (32, 32, 3), np.uint8)
                Image.fromarray(image).save(images / f"{number}.png")
    fixed = "'depth': 1, 'width': 4, 'batch_size': 8, 'optimizer': 'sgd'"
    space = write_space(folder / "my_space.py", "'lr': FloatDistribution(1e-4, 1e-1, log=True)", fixed)
    config = cifar_config(
        space=str(space),
        data=data_config("folder", folder / "images", None, None),
        name="night",
        max_epochs=1,
        trials=2,
        cpus_per_trial=1,
        gpus_per_trial=0,
        tracking_uri=tracking_uri,
        sweeps_dir=folder / "sweeps",
    )
    return SweepSummary(config, "id", [BEST, SECOND], {}, savings([], 1))


@pytest.fixture
def swept(tmp_path: Path, tracking_uri: str, local_ray: None) -> SweepSummary:
    """A sweep that nothing was retrained of."""
    return sweep_on_images(tmp_path, tracking_uri)


@pytest.fixture(scope="module")
def tested(
    tmp_path_factory: pytest.TempPathFactory, tracking_uri: str, local_ray: None
) -> tuple[SweepSummary, Retrained]:
    """A sweep kept off the GPU whose best was retrained; each test leaves its images as they were."""
    swept = sweep_on_images(tmp_path_factory.mktemp("tested"), tracking_uri)
    assert swept.config.gpus_per_trial == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: True)  # a card that cannot be used
        return swept, trained(swept, retrain_config(swept, BEST, 1))


def failing(config: SweepConfig, mended: Path) -> SweepConfig:
    """The same trainings, of which one fails until the file is there."""
    repeats = {key: config.settings[key] for key in (KIND, ARMS)}
    settings = {**config.settings, REPEATS: repeats, "mended": str(mended)}
    return config.model_copy(update={"objective": "scripted_repeats:train", "settings": settings})


def trained(summary: SweepSummary, config: SweepConfig) -> Retrained:
    return retrain(summary, config, None, model_name=summary.config.folder.parent.parent.name)


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("the test split is read once for each seed")


def gone(*_: Any, **__: Any) -> None:
    raise DataError("images/test does not exist; point data_dir at the folder")


def no_upload(*_: Any, **__: Any) -> None:
    raise MlflowException("the server has gone away")


def states(retrained: Retrained) -> list[str]:
    return [record.state.name for record in retrained.result.records]


def test_what_failed_is_trained_again_and_what_mlflow_lacks_is_added_by_the_same_command(
    swept: SweepSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = failing(retrain_config(swept, BEST, 2), tmp_path / "mended")
    why = r"^1 of 2 trainings completed; 1 failed, oom \(MemoryError: no room.*\): run the command again"
    with pytest.raises(SweepFailed, match=why):
        trained(swept, config)
    (tmp_path / "mended").touch()

    with monkeypatch.context() as patch:
        patch.setattr("cifar_cnn.evaluate.evaluate", gone)
        with pytest.raises(UserError, match=r"^images/test does not exist; point data_dir at the folder$"):
            trained(swept, config)
    assert reads_of_test(swept.config) == 0, "a test that did not happen is no read"

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", no_upload)
        cut_off = trained(swept, config)
    assert states(cut_off) == ["COMPLETE", "FAIL", "COMPLETE"]
    assert (cut_off.published.model_uri, cut_off.published.registration) == (None, None)
    assert "the server has gone away" in (cut_off.published.missing or "")
    assert (cut_off.model_folder / "MLmodel").is_file()

    assert (reads_of_test(swept.config), cut_off.test_reads) == (1, 1)

    monkeypatch.setattr("cifar_cnn.evaluate.evaluate", never)
    whole = trained(swept, config)
    assert states(whole) == states(cut_off), "nothing is trained anew"
    assert whole.test_reads == 1
    assert whole.tested.values == cut_off.tested.values
    assert whole.published.missing is None
    assert whole.published.registration is not None
    page = whole.result.page
    assert page is not None
    client, source = MlflowClient(config.tracking_uri), f"source_run_id = '{page.sweep_run_id}'"
    (model,) = client.search_logged_models([page.experiment_id], source)
    assert model.model_uri == whole.published.model_uri
    card = yaml.safe_load((whole.model_folder / "MLmodel").read_text())["metadata"]
    assert card["test_reads"] == 1


def test_reads_are_counted_with_those_of_others_who_share_the_mlflow_store(
    tested: tuple[SweepSummary, Retrained], tmp_path: Path
) -> None:
    swept, first = tested
    images = tmp_path / "images"
    shutil.copytree(swept.config.sweeps_dir.parent / "images", images)
    theirs = swept.config.model_copy(
        update={
            "sweeps_dir": tmp_path / "sweeps",
            "experiment": "theirs",
            "paths": {"data": str(images)},
            "settings": {"data": {**swept.config.settings["data"], "train_size": 8, "val_size": 2}},
        }
    )
    theirs = theirs.model_copy(update={"dataset": dataset_note(data_of(theirs))})
    theirs.save()
    here = dataclasses.replace(swept, config=theirs)
    all_of_them = training_images(theirs, None)
    second = retrain(
        here,
        retrain_config(here, BEST, 1, images=all_of_them),
        None,
        model_name=swept.config.folder.parent.parent.name,
    )
    assert (first.test_reads, second.test_reads) == (1, 2)
    assert second.result.config.dataset.sizes == {"train": 16, "val": 4, "test": 8}
    place = second.published.registration
    assert place is not None
    client = MlflowClient(theirs.tracking_uri)
    champion = client.get_model_version_by_alias(place.name, "champion")
    candidate = client.get_model_version(place.name, str(place.version))
    assert [version.tags["sweep.test_reads"] for version in (champion, candidate)] == ["2", "2"]


@pytest.mark.slow
def test_seeds_add_up_whatever_their_number_is_the_next_time(swept: SweepSummary) -> None:
    two = trained(swept, config := retrain_config(swept, BEST, 2))
    assert two.published.registration is not None
    one = trained(swept, retrain_config(swept, BEST, 1))
    assert one.tested.values == two.tested.values
    assert one.published == two.published, "nothing new is known of the model"

    three = trained(swept, retrain_config(swept, BEST, 3))
    assert three.tested.values[:2] == two.tested.values
    assert len(three.tested.values) == 3
    place = three.published.registration
    assert place is not None
    assert (place.version, place.champion) == (2, True)
    assert place.decision == "champion: the same model as version 1, tested with 3 seeds instead of 2"
    for record in three.result.records:
        assert final_checkpoint(config, record).is_dir()
    assert first_seed(config).number == 0


def test_a_sweep_kept_off_the_gpu_is_tested_and_examined_off_it_too(
    tested: tuple[SweepSummary, Retrained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept, retrained = tested
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # a card that cannot be used
    there: dict[str, set[str]] = {}

    def note(doing: str, done: int, total: int) -> None:
        there.setdefault(doing, {file.name for file in folder.glob("*")})
        assert done <= total

    examined = examine(swept.config, folder := tmp_path / "figures", corruptions=True, on_progress=note)
    assert examined.evaluation.accuracy == retrained.tested.values[0]
    early = {"confusion.png", "class_accuracy.png", "reliability.png", "mistakes.png", "evaluation.json"}
    assert there["test images"] == set()
    assert there["noise 1 of 3"] == early, "what is known is written before the long part begins"
    written = json.loads((folder / "evaluation.json").read_text())
    assert written["corrupted"] == examined.corrupted
    assert {len(values) for values in examined.corrupted.values()} == {3}
    assert {file.name for file in examined.files} == {*early, "corruptions.png"}


@pytest.mark.slow
def test_a_confirmation_trains_again_what_failed_if_it_is_told_to(
    swept: SweepSummary, tmp_path: Path
) -> None:
    finalists = [BEST, SECOND]
    config = failing(confirm_config(swept, finalists, 2), tmp_path / "mended")
    found, _ = confirm(config, finalists)
    assert [finalist.failed for finalist in found.finalists] == [0, 1]
    (tmp_path / "mended").touch()
    unchanged, _ = confirm(config, finalists)
    assert unchanged == found
    mended, result = confirm(config, finalists, retry_failed=True)
    assert [finalist.failed for finalist in mended.finalists] == [0, 0]
    assert len(result.records) == 5


def add_an_image(folder: Path) -> None:
    Image.new("RGB", (32, 32)).save(folder / "test" / "cat" / "new.png")


def spoil_an_image(folder: Path) -> None:
    (folder / "test" / "cat" / "0.png").write_bytes(b"no image")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (add_an_image, r"trained on 'folder' with fingerprint|another definition \(dataset: "),
        (spoil_an_image, "0.png is not a readable image"),
    ],
    ids=["one more", "one damaged"],
)
def test_changed_images_are_told_in_one_line(
    tested: tuple[SweepSummary, Retrained], tmp_path: Path, change: Callable[[Path], None], why: str
) -> None:
    swept, _ = tested
    folder = swept.config.sweeps_dir.parent
    (folder / "my_space.py").write_text("")  # is for sweeps to come, and hinders nothing
    assert to_repeat_here(swept, {}) == swept
    shutil.copytree(folder / "images", tmp_path / "images")
    change(folder / "images")
    open_data.cache_clear()  # as a new process
    for again in (
        lambda: examine(swept.config, tmp_path / "figures", corruptions=False),
        lambda: to_repeat_here(swept, {}),
    ):
        with pytest.raises(UserError, match=why) as told:
            again()
        assert "\n" not in str(told.value)
    shutil.rmtree(folder / "images")
    shutil.move(tmp_path / "images", folder / "images")
    open_data.cache_clear()
