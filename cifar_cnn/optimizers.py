"""The optimizer of a configuration."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cifar_cnn.config import TrainConfig

DECOUPLED_IMAGES = 1024
"""Images that decoupled learning rates and weight decays are told for."""


def make_optimizer(config: TrainConfig, model: nn.Module) -> torch.optim.Optimizer:
    """SGD, AdamW or Muon, decaying matrices and filters only: decay is no regulariser for the rest.

    Example:
        >>> from cifar_cnn.model import make_model
        >>> config = TrainConfig(optimizer="adamw", adamw_lr=0.002)
        >>> optimizer = make_optimizer(config, make_model(config, 10))
        >>> type(optimizer).__name__, [group["weight_decay"] for group in optimizer.param_groups][1]
        ('AdamW', 0.0)
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    lr, decay = _rates(config)
    others = {
        "params": [parameter for parameter in trained if parameter.ndim <= 1],
        "weight_decay": 0.0,
        "lr": lr * config.bias_lr,
    }
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    groups: list[dict[str, Any]] = [{"params": matrices, "weight_decay": decay, "lr": lr}, others]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=(0.9, config.beta2), fused=True)
    if config.optimizer == "muon":
        filters = [parameter for parameter in matrices if parameter.ndim == 4]
        last = [parameter for parameter in matrices if parameter.ndim != 4]
        groups = [
            {"params": filters, "weight_decay": 0.0, "lr": config.muon_lr, "orthogonal": True},
            {"params": last, "weight_decay": decay, "lr": lr},
            others,
        ]
        return Muon(groups, config.momentum)
    nesterov = config.momentum > 0  # torch refuses Nesterov without momentum
    return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, fused=True)


def _rates(config: TrainConfig) -> tuple[float, float]:
    """Learning rate and weight decay as torch's AdamW or SGD is given them.

    Of a decoupled rate a step's gradient reaches the weights once at once, by Nesterov, and
    1 / (1 - momentum) times in the end (Jordan, arXiv:2404.00498). SGD multiplies its decay by the rate.
    """
    if config.optimizer == "adamw":
        return config.peak_lr, config.weight_decay
    if not config.decoupled:
        return config.lr, config.weight_decay
    share = config.batch_size / DECOUPLED_IMAGES / (1 + 1 / (1 - config.momentum))
    return config.lr * share, config.weight_decay / config.lr


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose steps are orthogonal where a group says so (K. Jordan et al., "Muon", 2024).

    torch's own takes matrices alone; here a filter is a matrix of as many rows as it has outputs. It is
    scaled to a norm of sqrt(rows), so that a step is a share of it.

    Args:
        groups: with `lr`, and with `orthogonal` where steps are made so, or else with `weight_decay`.
        momentum: 0 to 1.

    Example:
        >>> weight = nn.Parameter(torch.ones(4, 2, 1, 1))
        >>> muon = Muon([{"params": [weight], "lr": 0.1, "orthogonal": True}], 0.6)
        >>> weight.square().sum().backward()
        >>> muon.step()
        >>> bool((weight < 1).all())
        True
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float) -> None:
        super().__init__(groups, {"momentum": momentum, "weight_decay": 0.0, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        velocity = state["momentum_buffer"]
        if group["orthogonal"]:
            velocity.mul_(group["momentum"]).add_(gradient)
            ahead = gradient.add(velocity, alpha=group["momentum"])
            rows = len(parameter)
            parameter.mul_(rows**0.5 / parameter.norm().clamp_min(1e-12))
            parameter.add_(orthogonalised(ahead.reshape(rows, -1)).view_as(parameter), alpha=-group["lr"])
        else:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
            velocity.mul_(group["momentum"]).add_(gradient)
            parameter.add_(gradient.add(velocity, alpha=group["momentum"]), alpha=-group["lr"])


def orthogonalised(matrix: Tensor, steps: int = 3) -> Tensor:
    """A matrix with the same singular vectors, whose singular values are all near 1.

    A Newton-Schulz iteration of the fifth order with Jordan's coefficients.

    >>> values = torch.linalg.svdvals(orthogonalised(torch.diag(torch.tensor([1.0, 0.5, 0.2])), steps=5))
    >>> bool(((values > 0.6) & (values < 1.3)).all())
    True
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / matrix.norm().clamp_min(1e-7)
    turned = len(x) > x.shape[1]
    if turned:
        x = x.mT
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if turned else x
    return result
