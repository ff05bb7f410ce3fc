"""The speed that a plan is made with."""

import pytest
import torch

from cifar_cnn.config import TrainConfig
from cifar_cnn.probe import training_images_per_s


def test_speed_is_measured_where_the_trials_will_run(
    tiny: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training_images_per_s(tiny, 10, threads=1, accelerator="cpu") > 0
    assert torch.get_num_threads() == 1
