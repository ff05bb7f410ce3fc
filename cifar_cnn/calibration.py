"""How well a model's confidence tells its accuracy: images in bins of confidence.

As in Guo et al., "On Calibration of Modern Neural Networks", 2017, arXiv:1706.04599.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 15
"""Equal bins of confidence, as many as the paper has."""


@dataclass(frozen=True)
class CalibrationBins:
    """Images counted by their confidence, in bins that are open below and closed above.

    Attributes:
        counts: images in each bin, float64 (BINS,).
        right: those of them that were classified rightly, float64 (BINS,).
        confidence: the sum of their confidences, float64 (BINS,).

    Example:
        >>> confidence = torch.tensor([0.95, 0.95, 0.3]).double()
        >>> bins = calibration_bins(confidence, torch.tensor([True, False, False]))
        >>> bins.counts.nonzero().flatten().tolist()
        [4, 14]
        >>> round(bins.expected_error, 3)  # (1 * |0.3 - 0| + 2 * |0.95 - 0.5|) / 3
        0.4
    """

    counts: Tensor
    right: Tensor
    confidence: Tensor

    @property
    def accuracy(self) -> Tensor:
        """Share classified rightly in each bin; 0 where there are no images."""
        return self.right / self.counts.clamp(min=1)

    @property
    def expected_error(self) -> float:
        """Mean distance of confidence and accuracy over the bins, weighted by their images."""
        return float((self.confidence - self.right).abs().sum() / self.counts.sum())


def calibration_bins(confidence: Tensor, correct: Tensor) -> CalibrationBins:
    """Counts images by the model's confidence in its answer.

    Args:
        confidence: probability of the predicted class, float64 (N,).
        correct: whether it was right, bool (N,).
    """
    # A confidence of exactly 1 is in the last bin.
    bins = (confidence * BINS).ceil().long().sub(1).clamp(0, BINS - 1)

    def summed(values: Tensor) -> Tensor:
        return torch.zeros(BINS, dtype=torch.float64).index_add(0, bins, values)

    return CalibrationBins(summed(torch.ones_like(confidence)), summed(correct.double()), summed(confidence))
