"""What every network here is to those who use it: images in, logits or probabilities out."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from cifar_cnn.config import TrainConfig


class Classifier(nn.Module):
    """A network: (B, 3, 32, 32) normalised float -> logits (B, num_classes).

    Args:
        config: `mirrored` is used.

    Example:
        >>> class Mean(Classifier):
        ...     def features(self, images: Tensor) -> Tensor:
        ...         return images.mean((2, 3))
        ...     def last(self, features: Tensor) -> Tensor:
        ...         return features
        >>> Mean(TrainConfig()).eval()(torch.ones(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self._mirrored = config.mirrored

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """What the last layer gets, (B, F)."""

    @abstractmethod
    def last(self, features: Tensor) -> Tensor:
        """Logits (B, num_classes) of features (B, F)."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float (B, num_classes), of normalised images, float (B, 3, 32, 32).

        In eval mode the mean over an image and its mirror image, where the configuration says so.
        """
        if self.training:
            return self.last(self.features(images))
        logits = self._exact(images)
        return (logits + self._exact(images.flip(3))) / 2 if self._mirrored else logits

    def probabilities(self, images: Tensor) -> Tensor:
        """Class probabilities, float32 (B, num_classes), each row summing to 1. Call it in eval mode."""
        logits: Tensor = self(images)
        return logits.float().softmax(dim=1)

    def _exact(self, images: Tensor) -> Tensor:
        """With the last layer in fp32: of logits in bf16 the two largest are often equal."""
        features = self.features(images)
        if features.dtype is torch.float32:
            return self.last(features)
        with torch.autocast(features.device.type, enabled=False):
            return self.last(features.float())
