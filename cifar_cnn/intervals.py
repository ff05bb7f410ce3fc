"""How well a share is known that was counted."""

import math
from statistics import NormalDist


def wilson_interval(rate: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of `n` images (Wilson, "Probable Inference, ...", JASA 22, 1927).

    What another test set of the same size might have shown of the same model.

    Args:
        rate: the share counted, 0 to 1.
        n: images counted.
        level: how often such an interval holds the true share.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    # A share of nothing or of all ends the interval exactly; rounding would leave 2e-19.
    return 0.0 if rate == 0 else centre - half, 1.0 if rate == 1 else centre + half
