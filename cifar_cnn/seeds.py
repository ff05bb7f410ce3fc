"""Seeds for each purpose, derived from a run's one seed."""

import hashlib
import json
import operator


def derive_seed(purpose: str | int, *parts: int) -> int:
    """Mixes a purpose and any whole numbers into one 63-bit seed; other arguments, another seed.

    A resumed run derives the seed of epoch e instead of restoring a generator's state: it then sees
    exactly what the uninterrupted run saw. Sums would not do, for (seed 1, epoch 2) and (2, 1) would meet.
    Nor would the entropy of numpy's SeedSequence: it is padded with zeros and cut into 32-bit words, so
    that (5,) and (5, 0), or (2**32,) and (0, 1), are one seed.

    Args:
        purpose: what the seed is for, such as 'order': seeds for one purpose are never those for another.
        parts: the run's seed, the epoch and so on; of any size and sign.

    Raises:
        TypeError: a part is no whole number.
    """
    words = [purpose if isinstance(purpose, str) else operator.index(purpose), *map(operator.index, parts)]
    # JSON writes what it is given down so that it can be told apart again: the hash's input is never shared.
    digest = hashlib.blake2b(json.dumps(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
