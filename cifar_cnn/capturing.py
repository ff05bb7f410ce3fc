"""A network's passes recorded once and replayed by a GPU, which need not be told of each kernel then."""

import torch
from torch import Tensor

from cifar_cnn.classifier import Classifier
from cifar_cnn.precision import Resolved


def capture(model: Classifier, images: Tensor, precision: Resolved) -> None:
    """Makes training passes of a network replays of CUDA graphs; evaluation stays as it is.

    Every batch must have the shape and the memory layout of `images`. See torch's notes on
    `make_graphed_callables`: it warms up with passes of its own, which are taken back from the running
    averages of batch normalisation, and wants no cache of cast weights.

    Args:
        model: on the GPU, in training mode.
        images: a batch, normalised, on the GPU.
        precision: of the training.
    """
    buffers = [buffer.clone() for buffer in model.buffers()]
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    with torch.autocast("cuda", dtype, enabled=precision != "fp32", cache_enabled=False):
        torch.cuda.make_graphed_callables(model, (images.clone(),))
    for buffer, before in zip(model.buffers(), buffers, strict=True):
        buffer.copy_(before)
