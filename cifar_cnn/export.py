"""The model as others use it: raw pixels in, probabilities out, nothing else to know."""

import torch
from torch import Tensor, nn

from cifar_cnn.checkpoint import LoadedModel


class InferenceModel(nn.Module):
    """Images uint8 (B, 32, 32, 3) with values 0 to 255 -> probabilities float32 (B, num_classes).

    Normalises inside, by the statistics the model was trained with. `torch.export` takes it with a
    dynamic batch, given an example of at least two images.

    Args:
        loaded: a trained model. Its network is used as it is, not copied.

    Example:
        >>> from cifar_cnn.config import DataConfig, TrainConfig
        >>> from cifar_cnn.model import make_model
        >>> from cifar_cnn.prepare import prepare_data
        >>> config, data = TrainConfig(depth=1, width=4), DataConfig()
        >>> loaded = LoadedModel(make_model(config, 10), config, data, prepare_data(data), "train", [])
        >>> probabilities = InferenceModel(loaded)(torch.zeros(2, 32, 32, 3, dtype=torch.uint8))
        >>> probabilities.shape, round(probabilities[0].sum().item(), 3)
        (torch.Size([2, 10]), 1.0)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__()
        self.model = loaded.model
        self.register_buffer("mean", torch.tensor(loaded.mean))
        self.register_buffer("std", torch.tensor(loaded.std))
        # In train mode dropout would be exported live, and statistics would follow each request.
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Class probabilities of a batch of images."""
        scaled = (images.float() / 255 - self.mean) / self.std
        return self.model.probabilities(scaled.permute(0, 3, 1, 2))
