"""The convolutional network: blocks joined by pooling, and a fully connected head."""

import math

from torch import Tensor, nn

from cifar_cnn.classifier import Classifier
from cifar_cnn.config import IMAGE_SIZE, TrainConfig
from cifar_cnn.whitening import SIDE, Whitening

HEAD_MAP = 4
"""A hidden layer sees a map of at most 4x4. A shallow network's 16x16 map is averaged down to that, or its
fully connected layer would dwarf the convolutions."""

LOGIT_SCALE = 1 / 9
"""Of the pooled head (arXiv:2404.00498): the first logits are small, so the first steps do not overshoot."""

EARLY = 4
"""How many times as wide as the first block the others are, where the network widens early."""


class CifarCNN(Classifier):
    """A plain convolutional classifier: (B, 3, 32, 32) normalised float -> logits (B, num_classes).

    `depth` blocks of convolution, pooling, batch normalisation, activation, then convolution, batch
    normalisation, activation once more or twice; the map halves from block to block. Pooling sits after the
    first convolution of a block, not at its end, as in Jordan, "94% on CIFAR-10 in 3.29 seconds"
    (arXiv:2404.00498): the further convolutions cost a quarter each. A head follows.

    Args:
        config: all that it says of the network.
        num_classes: number of logits.

    Example:
        >>> import torch
        >>> network = CifarCNN(TrainConfig(depth=2, width=8), num_classes=10).eval()
        >>> network.probabilities(torch.zeros(4, 3, 32, 32)).shape
        torch.Size([4, 10])
    """

    def __init__(self, config: TrainConfig, num_classes: int) -> None:
        super().__init__(config)
        widths, side = block_widths(config), IMAGE_SIZE
        self.stem: nn.Module = nn.Identity()
        before = 3
        if config.whitening:
            whitening = Whitening()
            self.stem = nn.Sequential(whitening, _activation(config))
            before, side = whitening.out_channels, side - SIDE + 1
        self.blocks = nn.Sequential(
            *(_block(b, after, config) for b, after in zip([before, *widths[:-1]], widths, strict=True))
        )
        side >>= config.depth
        self._scale = 1.0
        if config.head == "hidden":
            stride = math.ceil(side / HEAD_MAP)
            # From depth 3 on there is nothing to average, for which AvgPool2d(1) takes 2% of a CPU's step.
            self.pool: nn.Module = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.head = _hidden_head(widths[-1] * (side // stride) ** 2, config, num_classes)
        else:
            self._scale = LOGIT_SCALE
            self.pool = nn.MaxPool2d(side)
            last = nn.Linear(widths[-1], num_classes, bias=False)
            self.head = nn.Sequential(nn.Flatten(), nn.Dropout(config.dropout), last)

    def features(self, images: Tensor) -> Tensor:
        """What the last layer gets, (B, F)."""
        features: Tensor = self.head[:-1](self.pool(self.blocks(self.stem(images))))
        return features

    def last(self, features: Tensor) -> Tensor:
        """Logits (B, num_classes) of features (B, F)."""
        logits: Tensor = self.head[-1](features)
        return logits if self._scale == 1 else logits * self._scale

    def fit_whitening(self, images: Tensor) -> None:
        """Computes the filters of the whitening layer, if there is one, from normalised images."""
        if isinstance(self.stem, nn.Sequential):
            whitening = self.stem[0]
            assert isinstance(whitening, Whitening)
            whitening.fit(images)


def block_widths(config: TrainConfig) -> list[int]:
    """Channels of each block."""
    if config.widening == "early":
        return [config.width, *[EARLY * config.width] * (config.depth - 1)]
    return [config.width << block for block in range(config.depth)]


class Residual(nn.Module):
    """A convolution whose input is added to its normalised output.

    Args:
        channels: of input and output.
        config: `activation` is used.

    Example:
        >>> import torch
        >>> Residual(4, TrainConfig())(torch.zeros(2, 4, 8, 8)).shape
        torch.Size([2, 4, 8, 8])
    """

    def __init__(self, channels: int, config: TrainConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.activation = _activation(config)

    def forward(self, images: Tensor) -> Tensor:
        """The same shape as it is given."""
        output: Tensor = self.activation(self.norm(self.conv(images)) + images)
        return output


def _block(before: int, after: int, config: TrainConfig) -> nn.Sequential:
    # No biases: batch normalisation would take them out again.
    block = nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(after),
        _activation(config),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        _activation(config),
    )
    if config.convolutions == 3:
        block.append(Residual(after, config))
    return block


def _activation(config: TrainConfig) -> nn.Module:
    return nn.GELU() if config.activation == "gelu" else nn.ReLU(inplace=True)


def _hidden_head(features: int, config: TrainConfig, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(features, config.head_width),
        nn.ReLU(inplace=True),
        nn.Dropout(config.dropout),
        nn.Linear(config.head_width, num_classes),
    )
