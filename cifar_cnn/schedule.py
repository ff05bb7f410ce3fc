"""The learning rate as a pure function of the step: nothing to save, nothing to restore."""

import math

from cifar_cnn.config import TrainConfig


def schedule_factor(config: TrainConfig, step: int, total_steps: int) -> float:
    """Learning rate of one step as a share of the peak's.

    A linear warm-up (Goyal et al., arXiv:1706.02677) over the share `config.warmup` of all steps, then
    constant, or a cosine (Loshchilov and Hutter, arXiv:1608.03983, without restarts) or a line down to 0.

    Args:
        config: schedule and warmup are used.
        step: from 0 to total_steps - 1.
        total_steps: steps of the whole run.
    """
    warmup_steps = round(config.warmup * total_steps)
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    if config.schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return 1 - progress if config.schedule == "linear" else (1 + math.cos(math.pi * progress)) / 2
