"""What a training leaves in a process that trains the next one: put back, or ended."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess

from cifar_cnn.seeds import derive_seed

_CHATTER = [
    logging.getLogger(f"{package}.utilities.rank_zero")
    for package in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric")
]
"""Where Lightning says which accelerators there are not, and what to install; warnings go elsewhere."""

_CHILDREN_WAIT_S = 10.0  # for a loader's workers that were told to end


@contextmanager
def left_as_found(cpus: float, gpus: float) -> Iterator[None]:
    """Random generators, torch's threads and the environment are as before, child processes have ended.

    Args:
        cpus: cores of the training, and its torch threads.
        gpus: of the training; a share of one is that share of its memory. Its generator is put back, too.
    """
    from cifar_cnn.device import gpu_memory, torch_threads

    environment, children = dict(os.environ), set(multiprocessing.active_children())
    with ExitStack() as stack:
        stack.callback(_end_others_than, children)
        stack.callback(_put_back, environment)
        stack.enter_context(torch_threads(max(1, int(cpus))))
        stack.enter_context(gpu_memory(gpus))
        stack.enter_context(_generators_kept(on_gpu=gpus > 0))
        stack.enter_context(_quiet())
        stack.enter_context(_honest_interrupts())
        yield


def seed_everything(purpose: str, *parts: int) -> None:
    """Seed Python, numpy and torch, and the workers of the loaders that are made from now on.

    Args:
        purpose: what is drawn.
        parts: the trial's seed, the epoch and so on.
    """
    import pytorch_lightning

    seed = derive_seed(purpose, *parts) % 2**32  # numpy takes no larger one
    pytorch_lightning.seed_everything(seed, workers=True, verbose=False)


@contextmanager
def _generators_kept(*, on_gpu: bool) -> Iterator[None]:
    """As Lightning's `isolate_rng`, which does not put them back after an exception."""
    import numpy as np
    import torch

    of_python, of_numpy = random.getstate(), np.random.get_state()
    gpus = [torch.cuda.current_device()] if on_gpu and torch.cuda.is_available() else []
    with torch.random.fork_rng(gpus):
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)


def _put_back(environment: dict[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def _end_others_than(children: set[BaseProcess]) -> None:
    """End the workers of loaders: they are held in cycles, and live for as long as these."""
    gc.collect()
    left = set(multiprocessing.active_children()) - children
    for child in left:
        child.terminate()
    for child in left:
        child.join(_CHILDREN_WAIT_S)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says that a user cannot act on: two warnings for good, its chatter meanwhile.

    Warning filters are the process's: one that is taken back in one thread would take another's with it.
    """
    # Lightning calls a deprecated function of torch for every epoch. The filter is for that line alone.
    pytree = r"(pytorch_lightning|lightning\.pytorch)\.utilities\._pytree"
    warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning, pytree)
    # Of a card that a trial is told to leave to others.
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
def _honest_interrupts() -> Iterator[None]:
    """Let a KeyboardInterrupt through as itself.

    Lightning turns it into `sys.exit(1)`, or, off the main thread, into a ValueError about signals; the
    interrupt is then the context of that exception.
    """
    try:
        yield
    except (SystemExit, ValueError) as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
