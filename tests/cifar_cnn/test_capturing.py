"""Recorded passes, as far as that can be looked at without a GPU: what recording leaves behind."""

import pytest
import torch

from cifar_cnn.capturing import capture
from cifar_cnn.config import TrainConfig
from cifar_cnn.model import make_model


@pytest.mark.filterwarnings("ignore:.*CUDA is not available.*:UserWarning")
def test_the_passes_of_recording_leave_the_running_averages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = []

    def warm_up(model: torch.nn.Module, samples: tuple[torch.Tensor]) -> None:
        for _ in range(3):
            model(*samples)
        recorded.append(samples[0])

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", warm_up)
    model = make_model(TrainConfig(width=4, head_width=8), 10)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    images = torch.randn(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    capture(model, images, "fp32")
    assert recorded[0].shape == images.shape
    assert recorded[0].is_contiguous(memory_format=torch.channels_last)
    assert before
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name]), name
