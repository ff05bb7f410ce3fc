"""Whether torch can use the GPUs that trials are to have, looked at before a sweep starts."""

from __future__ import annotations

import shutil

from search.config.sweep_config import SweepConfig
from search.errors import UserError


def check_gpus(config: SweepConfig) -> None:
    """Refuse a sweep whose trials torch could not train on this machine's GPUs.

    Loads torch, which takes seconds, only where there is a GPU's driver. Other machines are not looked at.

    Raises:
        UserError: this build of torch has no kernels for a GPU.
    """
    if config.gpus_per_trial == 0 or config.ray_address is not None or shutil.which("nvidia-smi") is None:
        return
    from cifar_cnn.device import check_kernels

    try:
        check_kernels()
    except ValueError as error:
        raise UserError(f"{error}, or train on the CPU with `gpus_per_trial=0`") from error
