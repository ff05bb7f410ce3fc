"""From the names on a command line to a sweep of CNNs: everything wrong with them is told first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from PIL import Image

from cifar_cnn.config import DataConfig, TrainConfig
from search.cifar.sweep import (
    OBJECTIVE,
    check_unchanged,
    cifar_config,
    data_config,
    data_of,
    dataset_note,
    largest_configs,
    sampled_configs,
)
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from spaces.registry import load_space, shipped_spaces
from spaces.space import SearchSpace


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the digits are decoded, once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def digits(data_dir: Path) -> DataConfig:
    """A few of the digits."""
    return data_config("digits", data_dir, 100, 50)


def config_of(digits: DataConfig, space: str = "quickstart", **fields: Any) -> SweepConfig:
    """A sweep over these, in which each field can be given another value."""
    defaults: dict[str, Any] = {"name": "try", "max_epochs": 2, "trials": 3}
    return cifar_config(space=space, data=digits, **{**defaults, **fields})


def space_file(folder: Path, parameters: str, fixed: str = "{}") -> str:
    """A user's own space."""
    file = folder / "my_space.py"
    file.write_text(
        "from optuna.distributions import *\nfrom spaces.space import SearchSpace\n"
        f"SPACE = SearchSpace(name='mine', description='', parameters={parameters}, fixed={fixed})\n"
    )
    return str(file)


def test_a_sweep_of_the_shipped_space_and_data(digits: DataConfig) -> None:
    config = config_of(digits)
    assert config.objective == OBJECTIVE
    assert config.space == load_space("quickstart")
    assert config.dataset is not None
    assert config.dataset.sizes == {"train": 100, "val": 50, "test": 360}
    assert config.dataset.classes == 10
    assert data_of(config) == digits
    assert str(digits.data_dir) not in str(config.definition()), "where the images lie is no part of it"


def test_networks_can_follow_every_shipped_space(digits: DataConfig) -> None:
    for name in shipped_spaces():
        for drawn in sampled_configs(config_of(digits, name), count=5):
            assert isinstance(drawn, TrainConfig)
            assert drawn.max_epochs == 2


def test_other_images_are_other_data(digits: DataConfig, data_dir: Path) -> None:
    assert dataset_note(digits) == dataset_note(digits)
    assert dataset_note(digits).digest != dataset_note(data_config("digits", data_dir, 101, 50)).digest


@pytest.mark.parametrize(
    ("dataset", "train", "val", "why"),
    [
        ("mnist", None, None, "`dataset=mnist`: .*'digits', 'cifar10' or 'folder'"),
        ("digits", 0, None, "`train_size=0`: "),
        ("digits", -5, None, "`train_size=-5`: "),
        ("digits", None, 0, "`val_size=0`: "),
        ("digits", None, -1, "`val_size=-1`: "),
    ],
)
def test_unknown_data_and_sizes_are_refused(
    tmp_path: Path, dataset: str, train: int | None, val: int | None, why: str
) -> None:
    with pytest.raises(UserError, match=why) as refusal:
        data_config(dataset, tmp_path, train, val)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("train", "val", "why"),
    [
        (5000, None, r"train_size=5000 is more than the \d+ training images of 'digits'"),
        (None, 1000, r"val_size=1000 is more than the \d+ validation images of 'digits'"),
    ],
)
def test_more_images_than_there_are_are_refused(
    data_dir: Path, train: int | None, val: int | None, why: str
) -> None:
    with pytest.raises(UserError, match=why):
        config_of(data_config("digits", data_dir, train, val))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        config_of(data_config("folder", tmp_path / "nothing here", None, None))


def test_the_data_folder_is_found_from_wherever_workers_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_config("digits", Path("data"), None, None).data_dir == tmp_path / "data"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"space": "quikstart"}, "unknown search space 'quikstart'; did you mean 'quickstart'"),
        ({"space": "no/such/file.py"}, "no file 'no/such/file.py' with a search space"),
        ({"sampler": "bayes"}, "unknown sampler 'bayes': choose one of tpe"),
        ({"sampler": "grid"}, "'quickstart' has no grid: lr"),
        ({"sampler_args": {"colour": 1}}, "sampler tpe has no argument 'colour'"),
        ({"pruner": "bohb"}, "unknown pruner 'bohb': choose auto or one of"),
        ({"pruner": "median", "pruner_args": {"colour": 1}}, "pruner median has no argument 'colour'"),
        ({"trials": 0}, "`trials=0`: "),
        ({"max_epochs": -3}, "`max_epochs=-3`: "),
        ({"name": "a/b"}, "`name=a/b`: a name is"),
        ({"gpus_per_trial": 1.5}, "`gpus_per_trial=1.5`: a trial trains on one device"),
        ({"time_budget": -1}, "`time_budget=-1`: "),
    ],
)
def test_every_wrong_field_is_told_in_a_line(digits: DataConfig, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why) as refusal:
        config_of(digits, **fields)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("parameters", "fixed", "why"),
    [
        ("{'depth': IntDistribution(2, 7)}", "{}", "space 'mine' goes where no network can: `depth=7`: "),
        ("{'width': IntDistribution(1, 64)}", "{}", "goes where no network can: `width=1`: "),
        ("{'lr': FloatDistribution(0.0, 1.0)}", "{}", "goes where no network can: `lr=0.0`: "),
        ("{'optimizer': CategoricalDistribution(['sgd', 'lion'])}", "{}", "`optimizer=lion`"),
        ("{'lr': FloatDistribution(0.1, 1.0)}", "{'depth': 9}", "goes where no network can: `depth=9`: "),
        ("{'learning_rate': FloatDistribution(0.1, 1.0)}", "{}", "unknown parameter 'learning_rate'"),
        ("{'max_epochs': IntDistribution(1, 9)}", "{}", "unknown parameter 'max_epochs'"),
        ("{'seed': IntDistribution(1, 9)}", "{}", "unknown parameter 'seed'"),
        ("{'lr': FloatDistribution(0.0, 1.0, log=True)}", "{}", "my_space.py, line 3"),
        ("{'lr': FloatDistribution(1.0, 0.1)}", "{}", "my_space.py, line 3"),
        ("{}", "{}", "nothing to sample"),
    ],
)
def test_spaces_that_no_network_can_follow_are_refused(
    digits: DataConfig, tmp_path: Path, parameters: str, fixed: str, why: str
) -> None:
    with pytest.raises(UserError, match=why) as refusal:
        config_of(digits, space_file(tmp_path, parameters, fixed))
    assert "\n" not in str(refusal.value)


def test_the_largest_models_have_every_number_at_its_largest() -> None:
    [largest] = largest_configs(load_space("quickstart"), max_epochs=3)
    assert (largest.depth, largest.width, largest.max_epochs) == (3, 32, 3)
    each = largest_configs(load_space("wide"), max_epochs=3)
    assert [(c.optimizer, c.depth, c.width, c.batch_size) for c in each] == [
        ("sgd", 4, 128, 512),
        ("adamw", 4, 128, 512),
        ("muon", 4, 128, 512),
    ]


def test_a_list_of_numbers_has_a_largest_too() -> None:
    space = SearchSpace(
        name="choices",
        description="",
        parameters={
            "width": CategoricalDistribution([64, 128, 16]),
            "depth": IntDistribution(1, 3),
            "lr": FloatDistribution(0.1, 0.2),
        },
    )
    assert [config.width for config in largest_configs(space, 1)] == [128]


def test_an_unchanged_sweep_may_go_on(digits: DataConfig, tmp_path: Path) -> None:
    check_unchanged(config_of(digits))
    check_unchanged(config_of(digits, space_file(tmp_path, "{'lr': FloatDistribution(0.1, 1.0)}")))


def test_an_edited_space_is_told_with_the_difference(digits: DataConfig, tmp_path: Path) -> None:
    config = config_of(digits, space_file(tmp_path, "{'lr': FloatDistribution(0.1, 1.0)}"))
    space_file(tmp_path, "{'lr': FloatDistribution(0.1, 2.0)}")
    with pytest.raises(
        UserError, match=r"'try' was launched with another .*lr: float 0\.1\.\.1\.0 -> float 0\.1\.\.2\.0"
    ):
        check_unchanged(config)


def images(folder: Path, pixel: int) -> DataConfig:
    """A folder of forty images in two classes; one of them has this pixel."""
    from PIL import Image

    for part in ("train", "test"):
        for label in ("cat", "dog"):
            (folder / part / label).mkdir(parents=True, exist_ok=True)
            for n in range(10):
                colour = (n * 20, pixel if n == 0 else 0, 9)
                Image.new("RGB", (32, 32), colour).save(folder / part / label / f"{n}.png")
    return data_config("folder", folder, None, None)


def test_changed_images_are_told(tmp_path: Path) -> None:
    config = config_of(images(tmp_path, pixel=1))
    check_unchanged(config)
    for file in (tmp_path / "train").rglob("0.png"):
        os.remove(file)
    images(tmp_path, pixel=250)
    with pytest.raises(UserError, match=r"was launched with another definition .*dataset: "):
        check_unchanged(config)


def test_which_images_are_skipped_is_part_of_the_sweep(tmp_path: Path) -> None:
    whole = images(tmp_path, pixel=1)
    assert "skip_damaged" not in config_of(whole).settings["data"], (
        "as in sweeps from before it could be asked"
    )
    (tmp_path / "train" / "cat" / "3.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cat/3\.png is not .*, or leave damaged .* `skip_damaged`$"):
        config_of(whole)
    config = config_of(data_config("folder", tmp_path, None, None, skip_damaged=True))
    assert data_of(config).skip_damaged
    assert config.dataset is not None
    assert sum(config.dataset.sizes.values()) == 39
    check_unchanged(config)


def test_a_sweep_is_not_told_to_skip_images_that_it_was_launched_with(tmp_path: Path) -> None:
    config = config_of(images(tmp_path, pixel=1))
    (tmp_path / "train" / "cat" / "3.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"cat/3\.png is not .*give their folder with `data_dir`$") as told:
        check_unchanged(config)
    assert "skip" not in str(told.value)


def test_a_sweep_goes_on_where_its_images_lie_now(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for part in ("train", "test"):
        for label in ("cat", "dog"):
            for index in range(4):
                folder = here / part / label
                folder.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (32, 32), (index, 0, len(part + label))).save(folder / f"{index}.png")
    launched = config_of(data_config("folder", here, None, None))
    here.rename(there)
    with pytest.raises(UserError, match="give their folder with `data_dir`"):
        check_unchanged(launched)
    check_unchanged(launched.model_copy(update={"paths": {"data": str(there)}}))
    (there / "train" / "cat" / "0.png").unlink()
    with pytest.raises(UserError, match="launched with another definition"):
        check_unchanged(launched.model_copy(update={"paths": {"data": str(there)}}))
