"""Where training and evaluation run: on which device, of which share of its memory, on how many threads."""

import re
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


def check_kernels() -> None:
    """Refuses GPUs that this build of torch has no kernels for; each use of one would fail.

    Kernels run on GPUs of their own generation, from their own number on; code that a driver compiles (PTX)
    runs on all later ones, too (NVIDIA, "CUDA C++ Programming Guide", binary compatibility).

    Raises:
        ValueError: names the GPU and what torch was built for.
    """
    built = [re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", name) for name in torch.cuda.get_arch_list()]
    kernels = [(m[1], int(m[2]), int(m[3])) for m in built if m]
    for index in range(torch.cuda.device_count()):
        generation, number = torch.cuda.get_device_capability(index)
        if not any(
            (major, minor) <= (generation, number) and (kind == "compute" or major == generation)
            for kind, major, minor in kernels
        ):
            raise ValueError(
                f"torch {torch.__version__} has no kernels for {torch.cuda.get_device_name(index)} (compute "
                f"capability {generation}.{number}; it has {', '.join(torch.cuda.get_arch_list())}): "
                "install a build of torch that has"
            )


@contextmanager
def gpu_memory(share: float) -> Iterator[None]:
    """Holds a training to its share of a GPU's memory, so that it cannot take what others on it need.

    Args:
        share: of the GPU, above 0; from 1 on, and where there is none, nothing is done.
    """
    held = 0 < share < 1 and torch.cuda.is_available()
    if held:
        torch.cuda.set_per_process_memory_fraction(share)
    try:
        yield
    finally:
        if held:
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(1.0)


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
