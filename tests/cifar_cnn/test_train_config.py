"""TrainConfig and DataConfig: what they refuse, and that they survive travelling."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cifar_cnn.config import DataConfig, TrainConfig


def shares(upper: float = 0.99) -> st.SearchStrategy[float]:
    return st.floats(0, upper)


configs = st.builds(
    TrainConfig,
    depth=st.integers(1, 5),
    width=st.integers(4, 512),
    lr=st.floats(1e-12, 10),
    max_epochs=st.integers(1, 100_000),
    batch_size=st.integers(4, 65_536),
    optimizer=st.sampled_from(["sgd", "adamw", "muon"]),
    momentum=shares(),
    beta2=shares(),
    weight_decay=st.floats(0, 10),
    dropout=shares(),
    label_smoothing=shares(),
    head_width=st.integers(8, 8192),
    augmentation=shares(1),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
    warmup=shares(0.5),
    precision=st.sampled_from(["auto", "fp32", "bf16", "fp16"]),
    seed=st.integers(0, 2**63 - 1),
)


@given(configs)
def test_round_trip_through_json(config: TrainConfig) -> None:
    assert TrainConfig(**json.loads(json.dumps(config.model_dump(mode="json")))) == config


@given(configs)
def test_difference_is_empty_for_equals_and_names_what_differs(config: TrainConfig) -> None:
    assert config.difference(config.model_copy()) == ""
    other = config.model_copy(update={"depth": config.depth % 5 + 1})
    assert config.difference(other) == f"depth: {config.depth} -> {other.depth}"


@given(st.floats(2**-20, 8, width=32), st.integers(4, 512))
def test_numbers_of_numpy_become_plain(lr: float, width: int) -> None:
    for real, whole in ((np.float64, np.int64), (np.float32, np.int32)):
        config = TrainConfig(lr=real(lr), width=whole(width))
        assert type(config.lr) is float
        assert type(config.width) is int
        assert (config.lr, config.width) == (lr, width)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("depth", 0),
        ("depth", 6),
        ("width", 3),
        ("width", 513),
        ("width", 8.5),
        ("width", "8"),
        ("width", True),
        ("lr", 0.0),
        ("lr", -0.1),
        ("lr", 101.0),
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("network", "vgg"),
        ("widening", "late"),
        ("convolutions", 4),
        ("activation", "tanh"),
        ("head", "two"),
        ("adamw_lr", 0.0),
        ("muon_lr", -1.0),
        ("bias_lr", 0.0),
        ("flip", "never"),
        ("max_epochs", 0),
        ("batch_size", 3),
        ("optimizer", "adam"),
        ("momentum", 1.0),
        ("weight_decay", -1e-9),
        ("dropout", 1.0),
        ("augmentation", 1.01),
        ("warmup", 0.6),
        ("schedule", "square"),
        ("precision", "fp8"),
        ("seed", -1),
    ],
)
def test_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=field):
        TrainConfig(**{field: value})


def test_unknown_name_lists_the_known_ones_and_guesses() -> None:
    with pytest.raises(ValueError, match=r"knows no 'learning_rate'.*network, depth, width"):
        TrainConfig(learning_rate=0.1)
    with pytest.raises(ValueError, match="Did you mean 'dropout'"):
        TrainConfig(dropuot=0.1)


def test_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainConfig().lr = 0.1  # type: ignore[misc]


def test_what_was_left_out_is_told_apart_from_what_never_was() -> None:
    with pytest.raises(ValueError, match=r"left out, for it paid nothing: cutout, init\. Take it"):
        TrainConfig(init="identity", cutout=8)


def test_unknown_data_set_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="'digits', 'cifar10' or 'folder'"):
        DataConfig(dataset="mnist")  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["train_size", "val_size"])
@pytest.mark.parametrize("size", [0, -5])
def test_sizes_are_positive(field: str, size: int) -> None:
    with pytest.raises(ValidationError, match=field):
        DataConfig(**{field: size})


def test_data_config_survives_json_and_another_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    config = DataConfig(data_dir="some/where", cache_dir="~/there")
    assert config.data_dir == Path.cwd() / "some" / "where"
    assert DataConfig().data_dir == Path.cwd() / "data"
    assert config.cache_dir == Path.home() / "there"
    monkeypatch.chdir("/")
    assert DataConfig(**json.loads(config.model_dump_json())) == config


def test_a_folder_that_no_text_can_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no UTF-8.*make a link to it"):
        DataConfig(data_dir="caf\udce9")


def test_every_field_says_what_it_is_for() -> None:
    for model in (TrainConfig, DataConfig):
        assert all(field.description for field in model.model_fields.values())


def test_configuration_loads_without_torch() -> None:
    code = "import sys, cifar_cnn.config, cifar_cnn.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
