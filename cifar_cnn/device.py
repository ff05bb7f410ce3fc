"""Where training and evaluation run, and on how many threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch

Accelerator: TypeAlias = Literal["auto", "cpu"]
"""'auto' is a CUDA GPU if torch sees one, else the CPU; 'cpu' is the CPU whatever there is."""


def training_device(accelerator: Accelerator) -> torch.device:
    """The device that this means here; of several GPUs the first that the process sees."""
    # 'cpu' must be said: Ray leaves CUDA_VISIBLE_DEVICES alone for a trial without GPUs.
    if accelerator == "auto" and torch.cuda.is_available():
        return torch.device("cuda", 0)
    return torch.device("cpu")


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
