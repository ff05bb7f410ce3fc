"""The network of a configuration, and how much memory training it takes."""

import torch
from torch import Tensor

from cifar_cnn.classifier import Classifier
from cifar_cnn.cnn import CifarCNN
from cifar_cnn.config import IMAGE_SIZE, TrainConfig
from cifar_cnn.resnet import CifarResNet


def make_model(config: TrainConfig, num_classes: int) -> Classifier:
    """The network that a configuration describes, with its first weights.

    Example:
        >>> type(make_model(TrainConfig(network="resnet", width=64), 10)).__name__
        'CifarResNet'
    """
    kinds: dict[str, type[CifarCNN] | type[CifarResNet]] = {"cnn": CifarCNN, "resnet": CifarResNet}
    return kinds[config.network](config, num_classes)


def estimate_memory_bytes(config: TrainConfig, num_classes: int) -> int:
    """Memory that training takes at its peak, in bytes, at fp32: an upper bound for bf16.

    Weights, gradients, optimizer state, and the activations that a batch keeps for the backward pass.
    Not counted: the data, torch itself, and the work space of convolution kernels.
    """
    with torch.device("meta"):  # counts without allocating: the largest network would need gigabytes
        model = make_model(config, num_classes)
        weights = sum(parameter.numel() for parameter in model.parameters())
        kept, largest = _kept_for_backward(model, torch.empty(2, 3, IMAGE_SIZE, IMAGE_SIZE))
    # AdamW keeps two moments of each weight, SGD and Muon one velocity; beside the weight and its gradient.
    copies = 4 if config.optimizer == "adamw" else 3
    # The largest gradients in flight during the backward pass are those of two maps.
    return 4 * weights * copies + config.batch_size * (kept + 2 * largest) // 2


def _kept_for_backward(model: Classifier, images: Tensor) -> tuple[int, int]:
    """Bytes that a forward pass keeps until the backward pass, and of the largest tensor among them."""
    # A meta tensor has no address; its storage is told from others by the object behind it.
    parameters = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(images)
    sizes = [storage.nbytes() for key, storage in storages.items() if key not in parameters]
    return sum(sizes), max(sizes)
