"""What a training leaves in a process that trains the next one: put back, or ended."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess

_CHILDREN_WAIT_S = 10.0  # for a loader's workers that were told to end


@contextmanager
def left_as_found(cpus: float) -> Iterator[None]:
    """Random generators, torch's threads and the environment are as before, child processes have ended.

    Args:
        cpus: cores of the training, and its torch threads.
    """
    from pytorch_lightning.utilities.seed import isolate_rng

    from cifar_cnn.lightning_manners import honest_interrupts, quiet, torch_threads

    environment, children = dict(os.environ), set(multiprocessing.active_children())
    with ExitStack() as stack:
        stack.callback(_end_others_than, children)
        stack.callback(_put_back, environment)
        stack.enter_context(torch_threads(max(1, int(cpus))))
        stack.enter_context(isolate_rng())
        stack.enter_context(quiet())
        stack.enter_context(honest_interrupts())
        yield


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch, and the workers of the loaders that are made from now on."""
    import pytorch_lightning

    pytorch_lightning.seed_everything(seed, workers=True, verbose=False)


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
