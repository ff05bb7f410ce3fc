"""Checkpoints: plain types only, whole or refused."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import fit

from cifar_cnn.checkpoint import FILE_NAME, load_checkpoint
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.errors import CheckpointError


def test_loads_without_running_pickled_code(trained: Path) -> None:
    checkpoint = torch.load(trained / FILE_NAME, weights_only=True)
    json.dumps([checkpoint["cifar_cnn"], checkpoint["history"]])  # plain JSON types all through
    assert checkpoint["epoch"] == 4
    assert checkpoint["global_step"] == 5 * 36


def test_carries_what_is_needed_to_use_the_model(trained: Path, digits_dir: Path) -> None:
    for path in (trained, trained / FILE_NAME):
        loaded = load_checkpoint(path)
        assert loaded.train_config.width == 8
        assert loaded.data_config == DataConfig(data_dir=digits_dir)
        assert loaded.class_names == tuple("0123456789")
        assert loaded.mean == loaded.data_info.mean
        assert len(loaded.history) == 5
        assert not loaded.model.training
        assert next(loaded.model.parameters()).device.type == "cpu"


def test_loaded_model_is_the_fitted_one(tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path) -> None:
    result = fit(tiny, few_digits, on_epoch=lambda report: report.save(tmp_path / "last"))
    images = torch.randn(6, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(
            load_checkpoint(tmp_path / "last").model.probabilities(images), result.model.probabilities(images)
        )


def test_saving_over_a_checkpoint_leaves_one_file(
    tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path
) -> None:
    paths = []
    fit(tiny, few_digits, on_epoch=lambda report: paths.append(report.save(tmp_path / "same")))
    assert paths == [tmp_path / "same" / FILE_NAME] * 3
    assert [path.name for path in (tmp_path / "same").iterdir()] == [FILE_NAME]


# What a training was told by when networks were plain: fields that came later are not in such checkpoints.
AT_FIRST = {
    *("depth", "width", "lr", "max_epochs", "batch_size", "optimizer", "momentum", "beta2", "weight_decay"),
    *("dropout", "label_smoothing", "head_width", "augmentation", "schedule", "warmup", "precision", "seed"),
}


def test_a_checkpoint_from_before_a_field_existed_loads_and_trains_on(
    tiny: TrainConfig, few_digits: DataConfig, tmp_path: Path
) -> None:
    whole = fit(tiny, few_digits, on_epoch=lambda report: report.save(tmp_path / f"{report.epoch}"))
    file = tmp_path / "1" / FILE_NAME
    old = torch.load(file, weights_only=True)
    section = old["cifar_cnn"]["train_config"]
    old["cifar_cnn"]["train_config"] = {name: section[name] for name in AT_FIRST}
    torch.save(old, file)
    layers = [0, 2, 4, 5]
    blocks = {f"model.blocks.{block}.{layer}.weight" for block in range(tiny.depth) for layer in layers}
    names = {name for name in old["state_dict"] if name.endswith("weight")}
    assert names == blocks | {"model.head.1.weight", "model.head.4.weight"}, "as they were stored then"
    assert load_checkpoint(file).train_config == tiny
    resumed = fit(tiny, few_digits, checkpoint=tmp_path / "1")
    images = torch.randn(6, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(resumed.model(images), whole.model(images), rtol=0, atol=0)


def test_a_checkpoint_with_fields_that_there_are_no_more_loads(trained: Path, tmp_path: Path) -> None:
    old = torch.load(trained / FILE_NAME, weights_only=True)
    left_out = {"init": "identity", "norm_momentum": 0.4, "cutout": 8, "weight_average": 0.95}
    old["cifar_cnn"]["train_config"] |= left_out
    torch.save(old, tmp_path / FILE_NAME)
    assert load_checkpoint(tmp_path).train_config == load_checkpoint(trained).train_config


def test_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"{FILE_NAME} does not exist"):
        load_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="nowhere does not exist"):
        load_checkpoint(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "flipped"])
def test_damaged_is_named_in_one_line(damage: str, trained: Path, tmp_path: Path) -> None:
    content = (trained / FILE_NAME).read_bytes()
    damaged = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "text": b"weights, honest\n",
        "flipped": content[:200] + bytes(255 - byte for byte in content[200:2000]) + content[2000:],
    }[damage]
    (tmp_path / FILE_NAME).write_bytes(damaged)
    with pytest.raises(CheckpointError, match=rf"{FILE_NAME} is damaged") as caught:
        load_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "owned",))  # type: ignore[return-value]

    torch.save({"state_dict": Attack()}, tmp_path / FILE_NAME)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(pickle.dumps(Attack()))
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "owned").exists()


OTHER_VERSIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a field more": (lambda saved: saved["cifar_cnn"]["train_config"].update(stem=3), "knows no 'stem'"),
    "a narrower range": (lambda saved: saved["cifar_cnn"]["train_config"].update(depth=9), "depth"),
    "a section less": (lambda saved: saved["cifar_cnn"].pop("data_info"), "data_info"),
    "a layer more": (lambda saved: saved["state_dict"].update({"model.stem": torch.ones(1)}), "stem"),
}


@pytest.mark.parametrize(("change", "reason"), OTHER_VERSIONS.values(), ids=OTHER_VERSIONS)
def test_checkpoint_of_another_version_says_so(
    change: Callable[[dict[str, Any]], object], reason: str, trained: Path, tmp_path: Path
) -> None:
    saved = torch.load(trained / FILE_NAME, weights_only=True)
    config, data = (saved["cifar_cnn"][name] for name in ("train_config", "data_config"))
    config, data = TrainConfig(**config), DataConfig(**data)
    change(saved)
    torch.save(saved, tmp_path / FILE_NAME)
    for use in (lambda: load_checkpoint(tmp_path), lambda: fit(config, data, checkpoint=tmp_path)):
        with pytest.raises(CheckpointError, match=f"another version .*{reason}.*use that version") as caught:
            use()
        assert "\n" not in str(caught.value)


def test_foreign_checkpoint_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / FILE_NAME)
    with pytest.raises(CheckpointError, match="not a checkpoint that cifar_cnn wrote"):
        load_checkpoint(tmp_path)
