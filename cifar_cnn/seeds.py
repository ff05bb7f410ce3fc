"""Seeds for each purpose, derived from a run's one seed."""

import numpy as np


def derive_seed(*parts: int) -> int:
    """Mixes non-negative integers into one 63-bit seed.

    A resumed run derives the seed of epoch e instead of restoring a generator's state: it then sees
    exactly what the uninterrupted run saw. Sums would not do, for (seed 1, epoch 2) and (2, 1) would meet.
    """
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
