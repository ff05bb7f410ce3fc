"""Lightning made fit for a long-lived worker: silent, and leaving nothing behind."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_CHATTER = [
    logging.getLogger(f"{package}.utilities.rank_zero")
    for package in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric")
]
"""Where Lightning says which accelerators there are not, and what to install; warnings go elsewhere."""


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what Lightning says that a user cannot act on: two warnings for good, its chatter meanwhile.

    Warning filters are the process's: one that is taken back in one thread would take another's with it.
    """
    # Lightning calls a deprecated function of torch for every epoch. The filter is for that line alone.
    pytree = r"(pytorch_lightning|lightning\.pytorch)\.utilities\._pytree"
    warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning, pytree)
    # Of a card that `fit` was told to leave to others.
    warnings.filterwarnings("ignore", "GPU available but not used", UserWarning)
    levels = [logger.level for logger in _CHATTER]
    for logger in _CHATTER:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(_CHATTER, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def torch_state(threads: int | None, seed: int, device: torch.device) -> Iterator[None]:
    """Sets torch's threads (None: leaves them) and random generators, and puts them back afterwards."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch_threads(threads):
        torch.manual_seed(seed)
        yield


@contextmanager
def torch_threads(threads: int | None) -> Iterator[None]:
    """Sets torch's threads (None: leaves them), and puts them back afterwards."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def honest_interrupts() -> Iterator[None]:
    """Lets a KeyboardInterrupt through as itself.

    Lightning turns it into `sys.exit(1)`, or, off the main thread, into a ValueError about signals; the
    interrupt is then the context of that exception.
    """
    try:
        yield
    except (SystemExit, ValueError) as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
