"""The learning rate as a pure function of the step: nothing to save, nothing to restore."""

import math

from cifar_cnn.config import TrainConfig


def learning_rate(config: TrainConfig, step: int, total_steps: int) -> float:
    """Learning rate of one step.

    A linear warm-up (Goyal et al., arXiv:1706.02677) over the share `config.warmup` of all steps, then
    constant, or a cosine down to 0 (Loshchilov and Hutter, arXiv:1608.03983, without restarts).

    Args:
        config: lr, schedule and warmup are used.
        step: from 0 to total_steps - 1.
        total_steps: steps of the whole run.
    """
    warmup_steps = round(config.warmup * total_steps)
    if step < warmup_steps:
        return config.lr * (step + 1) / (warmup_steps + 1)
    if config.schedule == "constant":
        return config.lr
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return config.lr * (1 + math.cos(math.pi * progress)) / 2
