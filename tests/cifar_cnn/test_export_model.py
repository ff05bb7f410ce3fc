"""The exported model: raw pixels in, probabilities out, in a process that knows nothing of this project."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cifar_cnn.checkpoint import LoadedModel, load_checkpoint
from cifar_cnn.config import DataConfig, TrainConfig
from cifar_cnn.export import InferenceModel
from cifar_cnn.model import make_model
from cifar_cnn.prepare import open_data
from spaces import fast

STRANGER = """
import json, sys
import numpy as np, torch
assert "cifar_cnn" not in sys.modules
model = torch.export.load(sys.argv[1]).module()
images = torch.from_numpy(np.load(sys.argv[2]))
print(json.dumps([model(images[:count]).tolist() for count in (1, 5, len(images))]))
"""


def digits(digits_dir: Path, count: int) -> np.ndarray:
    return np.array(open_data(DataConfig(data_dir=digits_dir)).arrays("test")[0][:count])


def test_raw_pixels_give_the_models_probabilities(trained: Path, digits_dir: Path) -> None:
    loaded = load_checkpoint(trained)
    images = torch.from_numpy(digits(digits_dir, 30))
    with torch.no_grad():
        probabilities = InferenceModel(loaded)(images)
        normalised = (images / 255 - torch.tensor(loaded.mean)) / torch.tensor(loaded.std)
        expected = loaded.model.probabilities(normalised.permute(0, 3, 1, 2))
    assert probabilities.shape == (30, 10)
    torch.testing.assert_close(probabilities, expected)


def test_is_in_eval_mode_whatever_it_was_given(trained: Path) -> None:
    loaded = load_checkpoint(trained)
    loaded.model.train()
    assert not any(module.training for module in InferenceModel(loaded).modules())


def test_runs_in_a_process_without_this_project(trained: Path, digits_dir: Path, tmp_path: Path) -> None:
    images = digits(digits_dir, 20)
    model = InferenceModel(load_checkpoint(trained))
    batch = torch.export.Dim("batch")
    program = torch.export.export(model, (torch.from_numpy(images[:2]),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "model.pt2")
    np.save(tmp_path / "images.npy", images)
    run = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(tmp_path / "model.pt2"), str(tmp_path / "images.npy")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    one, five, all_of_them = json.loads(run.stdout)
    with torch.no_grad():
        expected = model(torch.from_numpy(images))
    assert (len(one), len(five), len(all_of_them)) == (1, 5, 20)
    torch.testing.assert_close(torch.tensor(all_of_them), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(**{**fast.RECIPE, **fast.FIRST, "width": 4, "mirrored": True, "convolutions": 3}),
        TrainConfig(network="resnet", depth=1, width=64),
    ],
    ids=["recipe", "resnet"],
)
def test_every_kind_of_network_is_exported_with_what_it_does(config: TrainConfig, digits_dir: Path) -> None:
    data = DataConfig(data_dir=digits_dir)
    model = make_model(config, 10).eval()
    loaded = LoadedModel(model, config, data, open_data(data).info, "train", [])
    images = torch.from_numpy(digits(digits_dir, 9))
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(InferenceModel(loaded), (images[:2],), dynamic_shapes=shapes)
    with torch.no_grad():
        expected = InferenceModel(loaded)(images)
        torch.testing.assert_close(program.module()(images), expected)
