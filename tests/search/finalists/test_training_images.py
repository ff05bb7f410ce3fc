"""A CNN is retrained on all but the test images, whatever its sweep had, or on as many as asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sweep_makers import FLAT, record, sweep_config

from search.cifar.sweep import OBJECTIVE, data_config, data_settings, dataset_note
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.retrain import retrain_config
from search.finalists.training_images import training_images
from search.results.leaderboard import savings
from search.results.summary import SweepSummary
from spaces.space import SearchSpace

ALL = 1437  # of scikit-learn's 1,797 digits, 360 are the test's


def sweep(folder: Path, train: int | None, val: int | None, **fields: Any) -> SweepConfig:
    """A sweep of CNNs on so many digits."""
    data = data_config("digits", folder, train, val)
    return sweep_config(
        folder,
        name="night",
        objective=OBJECTIVE,
        settings={"data": data_settings(data)},
        paths={"data": str(folder)},
        dataset=dataset_note(data),
        space=FLAT,
        **fields,
    )


def summary(config: SweepConfig) -> SweepSummary:
    return SweepSummary(config, "id", [], {}, savings([], config.max_epochs))


@pytest.mark.parametrize(
    ("asked", "train", "val"), [(None, 1150, 287), (ALL, 1150, 287), (500, 400, 100), (3, 2, 1)]
)
def test_all_or_so_many(asked: int | None, train: int, val: int, tmp_path: Path) -> None:
    config = sweep(tmp_path, 100, 50)
    images = training_images(config, asked)
    assert images is not None
    assert images.note.sizes == {"train": train, "val": val, "test": 360}
    assert images.count == train + val
    assert config.dataset is not None
    fingerprint = config.dataset.digest.partition("-")[0]
    assert images.note.digest.partition("-")[0] == fingerprint, "the test images are the same"


def test_the_retraining_has_these_images_and_a_name_of_its_own(tmp_path: Path) -> None:
    config = sweep(tmp_path, 300, 50)
    whole, half = (training_images(config, asked) for asked in (None, 500))
    assert whole is not None
    on_all = retrain_config(summary(config), record(7), 3, images=whole)
    assert on_all.settings["data"]["train_size"] is None
    assert on_all.dataset == whole.note
    assert on_all.name == "night.retrain-007-e3-n1437"
    assert retrain_config(summary(config), record(7), 3, images=half).name == "night.retrain-007-e3-n500"


@pytest.mark.parametrize(("train", "val", "asked"), [(None, None, None), (400, 100, 500)])
def test_on_the_sweeps_own_images_it_goes_on_with_what_was_begun(
    train: int | None, val: int | None, asked: int | None, tmp_path: Path
) -> None:
    config = sweep(tmp_path, train, val)
    begun = retrain_config(summary(config), record(7), 3)
    now = retrain_config(summary(config), record(7), 3, images=training_images(config, asked))
    assert now.name == begun.name == "night.retrain-007-e3"
    assert now.definition().difference(begun.definition().to_json()) == []


@pytest.mark.parametrize("asked", [2, ALL + 1])
def test_other_numbers_are_refused_with_those_there_are(asked: int, tmp_path: Path) -> None:
    rule = rf"`train_size={asked}`: 'digits' has 1,437 images that are not the test's; ask for 3 to 1437"
    with pytest.raises(UserError, match=rule):
        training_images(sweep(tmp_path, 100, 50), asked)


def test_less_than_a_batch_is_refused(tmp_path: Path) -> None:
    config = sweep(tmp_path, 300, 50)
    rule = r"trial 7 trains in batches of 128 images, and there are 100 to retrain it on: .* `train_size`, or"
    with pytest.raises(UserError, match=rule):
        retrain_config(summary(config), record(7), 3, images=training_images(config, 100))


def test_a_trial_with_a_field_that_there_is_no_more_is_refused_in_a_line(tmp_path: Path) -> None:
    space = SearchSpace(
        name="old", description="A square is cut out.", parameters=FLAT.parameters, fixed={"cutout": 8}
    )
    config = sweep(tmp_path, 300, 50).model_copy(update={"space": space})
    with pytest.raises(UserError, match=r"trial 7 cannot be trained again: left out, .* cutout. Take it"):
        retrain_config(summary(config), record(7), 3, images=training_images(config, None))


def test_what_is_no_cnn_chooses_its_data_itself(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    assert training_images(config, None) is None
    with pytest.raises(UserError, match=r"`train_size=9`: sweep .* trains .*, which chooses its data"):
        training_images(config, 9)
