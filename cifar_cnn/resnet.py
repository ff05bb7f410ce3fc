"""torchvision's residual network with the stem that small images want."""

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from cifar_cnn.classifier import Classifier
from cifar_cnn.config import TrainConfig


class CifarResNet(Classifier):
    """Four stages of basic blocks (He et al. 2016): (B, 3, 32, 32) normalised -> logits (B, num_classes).

    The stem is a 3x3 convolution without pooling, as usual for CIFAR-10: torchvision's would leave 8 pixels.

    Args:
        config: `depth` is the blocks of each stage; 2 make a ResNet-18.
        num_classes: number of logits.

    Example:
        >>> import torch
        >>> config = TrainConfig(network="resnet", depth=1, width=64)
        >>> CifarResNet(config, num_classes=10).eval()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, config: TrainConfig, num_classes: int) -> None:
        super().__init__(config)
        net = ResNet(BasicBlock, [config.depth] * 4, num_classes)
        net.conv1 = nn.Conv2d(3, config.width, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.maxpool = nn.Identity()
        self.head = net.fc
        net.fc = nn.Identity()
        self.net = net

    def features(self, images: Tensor) -> Tensor:
        """What the last layer gets, (B, F)."""
        features: Tensor = self.net(images)
        return features

    def last(self, features: Tensor) -> Tensor:
        """Logits (B, num_classes) of features (B, F)."""
        logits: Tensor = self.head(features)
        return logits
