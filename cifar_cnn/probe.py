"""How fast a configuration trains here, measured in a moment on made-up images."""

import time

import torch
from torch.nn.functional import cross_entropy

from cifar_cnn.config import IMAGE_SIZE, TrainConfig
from cifar_cnn.model import CifarCNN
from cifar_cnn.precision import autocast, resolve_precision

_BATCH = 32  # large enough to keep the hardware busy, small enough for a moment even at width 128
_STEPS = 3


def training_images_per_s(config: TrainConfig, num_classes: int, threads: int) -> float:
    """Images a second of forward and backward passes with this many CPU threads, or on the GPU.

    An estimate for a plan: it leaves out augmentation, the optimizer and larger batches' better use of
    the hardware.
    """
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model = CifarCNN(config, num_classes).to(device).to(memory_format=torch.channels_last)
        images = torch.rand(_BATCH, 3, IMAGE_SIZE, IMAGE_SIZE, device=device)
        labels = torch.randint(num_classes, (_BATCH,), device=device)
        precision = resolve_precision(config.precision, device)
        for step in range(1 + _STEPS):
            if step == 1:  # the first pass allocates and picks kernels
                started = time.perf_counter()
            with autocast(precision, device):
                loss = cross_entropy(model(images.contiguous(memory_format=torch.channels_last)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        loss.item()  # waits for a GPU
        return _BATCH * _STEPS / (time.perf_counter() - started)
    finally:
        torch.set_num_threads(before)
