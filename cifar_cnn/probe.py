"""How fast a configuration trains here, measured in a moment on made-up images."""

import time

import torch
from torch.nn.functional import cross_entropy

from cifar_cnn.config import IMAGE_SIZE, TrainConfig
from cifar_cnn.device import Accelerator, training_device
from cifar_cnn.model import make_model
from cifar_cnn.precision import autocast, resolve_precision

_CPU_BATCH = 32  # keeps a CPU busy, and takes but a moment even at width 128
_STEPS = 3


def training_images_per_s(
    config: TrainConfig, num_classes: int, threads: int, accelerator: Accelerator
) -> float:
    """Images a second of forward and backward passes with this many CPU threads, or on a GPU.

    An estimate for a plan: it leaves out augmentation and the optimizer, and on a CPU what little larger
    batches gain there. On a GPU, which small batches leave idle, it takes the configuration's own.
    """
    device = training_device(accelerator)
    on_gpu = device.type == "cuda"
    batch = config.batch_size if on_gpu else _CPU_BATCH
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        model = make_model(config, num_classes).to(device).to(memory_format=torch.channels_last)
        images = torch.rand(batch, 3, IMAGE_SIZE, IMAGE_SIZE, device=device)
        labels = torch.randint(num_classes, (batch,), device=device)
        precision = resolve_precision(config.precision, device)
        for step in range(1 + _STEPS):
            if step == 1:  # the first pass allocates and picks kernels
                if on_gpu:
                    torch.cuda.synchronize()
                started = time.perf_counter()
            with autocast(precision, device):
                loss = cross_entropy(model(images.contiguous(memory_format=torch.channels_last)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        loss.item()  # waits for a GPU
        return batch * _STEPS / (time.perf_counter() - started)
    finally:
        torch.set_num_threads(before)
