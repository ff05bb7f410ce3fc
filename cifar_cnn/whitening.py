"""A first layer that makes neighbouring pixels independent, computed from images instead of trained."""

import torch
from torch import Tensor, nn

SIDE = 2
"""Of a patch, in pixels."""

IMAGES = 5000
"""How many images the filters are computed from: the covariance of twelve numbers needs no more."""

_EPSILON = 5e-4  # keeps what natural images hardly have, such as differences of colour, from being blown up


class Whitening(nn.Conv2d):
    """Patches of 2x2 pixels -> their independent parts, each once as it is and once negated.

    An activation would otherwise lose the sign of half of them. (B, 3, 32, 32) -> (B, 24, 31, 31). The
    filters are computed by `fit` and fixed; the bias is trained. From Jordan, "94% on CIFAR-10 in 3.29
    seconds" (arXiv:2404.00498), after Page, "How to train your ResNet".

    Example:
        >>> layer = Whitening()
        >>> images = torch.randn(100, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        >>> layer.fit(images)
        >>> layer(images).shape, round(layer(images).std().item(), 1)
        (torch.Size([100, 24, 31, 31]), 1.0)
    """

    def __init__(self) -> None:
        super().__init__(3, 2 * 3 * SIDE**2, SIDE)
        self.weight.requires_grad_(False)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Computes the filters from normalised images, float (N, 3, 32, 32)."""
        patches = nn.functional.unfold(images.float().cpu().contiguous(), SIDE)  # (N, 12, places)
        patches = patches.transpose(1, 2).reshape(-1, 3 * SIDE**2).double()
        covariance = patches.T @ patches / len(patches)
        values, vectors = torch.linalg.eigh(covariance)
        filters = (vectors / (values + _EPSILON).sqrt()).T.reshape(-1, 3, SIDE, SIDE)
        self.weight.copy_(torch.cat([filters, -filters]))
