"""The network, and how much memory training it takes."""

import torch
from torch import Tensor, nn

from cifar_cnn.config import IMAGE_SIZE, TrainConfig

HEAD_MAP = 4
"""The head sees a map of at most 4x4. A shallow network's 16x16 map is averaged down to that, or its
fully connected layer would dwarf the convolutions."""


class CifarCNN(nn.Module):
    """A plain convolutional classifier: (B, 3, 32, 32) normalised float -> logits (B, num_classes).

    `depth` blocks of convolution, pooling, batch normalisation, ReLU, convolution, batch
    normalisation, ReLU; the width doubles and the map halves from block to block. Pooling sits after the
    first convolution of a block, not at its end, as in Jordan, "94% on CIFAR-10 in 3.29 seconds"
    (arXiv:2404.00498): two convolutions a block for accuracy, the second at a quarter of the cost.
    A hidden fully connected layer and a linear one follow.

    Args:
        config: depth, width, head_width and dropout are used. Depth stops at 5 (`TrainConfig` refuses
            more), where the map has shrunk to a single pixel.
        num_classes: number of logits.

    Example:
        >>> network = CifarCNN(TrainConfig(depth=2, width=8), num_classes=10).eval()
        >>> network.probabilities(torch.zeros(4, 3, 32, 32)).shape
        torch.Size([4, 10])
    """

    def __init__(self, config: TrainConfig, num_classes: int) -> None:
        super().__init__()
        widths = block_widths(config)
        self.blocks = nn.Sequential(
            *(_block(before, after) for before, after in zip([3, *widths[:-1]], widths, strict=True))
        )
        side = IMAGE_SIZE >> config.depth
        kept = min(side, HEAD_MAP)
        # From depth 3 on there is nothing to average, for which AvgPool2d(1) takes 2% of a CPU's step.
        self.pool = nn.AvgPool2d(side // kept) if kept < side else nn.Identity()
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-1] * kept**2, config.head_width),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout),
            nn.Linear(config.head_width, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float (B, num_classes), of normalised images, float (B, 3, 32, 32)."""
        logits: Tensor = self.head(self.pool(self.blocks(images)))
        return logits

    def probabilities(self, images: Tensor) -> Tensor:
        """Class probabilities, float32 (B, num_classes), each row summing to 1. Call it in eval mode."""
        logits: Tensor = self(images)
        return logits.float().softmax(dim=1)


def block_widths(config: TrainConfig) -> list[int]:
    """Channels of each block."""
    return [config.width << block for block in range(config.depth)]


def _block(before: int, after: int) -> nn.Sequential:
    # No biases: batch normalisation would take them out again.
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def estimate_memory_bytes(config: TrainConfig, num_classes: int) -> int:
    """Memory that training takes at its peak, in bytes, at fp32: an upper bound for bf16.

    Weights, gradients, optimizer state, and the activations that a batch keeps for the backward pass.
    Not counted: the data, torch itself, and the work space of convolution kernels.
    """
    with torch.device("meta"):  # counts without allocating: the largest network would need gigabytes
        model = CifarCNN(config, num_classes)
    weights = sum(parameter.numel() for parameter in model.parameters())
    # AdamW keeps two moments of each weight, SGD one velocity; beside the weight and its gradient.
    copies = 4 if config.optimizer == "adamw" else 3
    return 4 * weights * copies + config.batch_size * _activation_bytes(config)


def _activation_bytes(config: TrainConfig) -> int:
    """Bytes that one image keeps until the backward pass, and the largest gradients in flight during it."""
    kept = 4 * 3 * IMAGE_SIZE**2
    largest = 0
    for block, width in enumerate(block_widths(config)):
        full = 4 * width * (IMAGE_SIZE >> block) ** 2
        # The pool keeps its input and, for each of a quarter as many outputs, an 8-byte index; after it
        # come four maps of a quarter: two into batch normalisation, two out of ReLU.
        kept += full + full // 2 + 4 * (full // 4)
        largest = max(largest, full)
    return kept + 2 * largest + 4 * 3 * config.head_width
