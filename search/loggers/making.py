"""The loggers of a sweep by name, and whether they can be had here."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from search.config.run_settings import LoggerName
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.loggers.trial_logs import TrialLogs

_TITLES: dict[LoggerName, str] = {"tensorboard": "TensorBoard", "wandb": "W&B"}


def check_loggers(names: Sequence[LoggerName]) -> None:
    """Refuse loggers that could not log.

    >>> check_loggers([])

    Raises:
        UserError: one cannot be loaded, or W&B has no key; says what to do.
    """
    for name in names:
        try:
            importlib.import_module(f"search.loggers.{name}")
        except ImportError as error:
            raise UserError(
                f"`loggers={name}`: it cannot be loaded ({error}): install the extra `{name}`, "
                f"`pip install '.[{name}]'` in the project's folder"
            ) from error
    if "wandb" in names:
        from search.loggers.wandb import check_login

        check_login()


def make_loggers(config: SweepConfig, sweep_id: str) -> dict[str, TrialLogs]:
    """The loggers of a sweep by what they are called.

    >>> from spaces.quickstart import SPACE
    >>> sweep = {"name": "day", "space": SPACE, "objective": "math:sqrt", "trials": 1, "max_epochs": 1}
    >>> list(make_loggers(SweepConfig(**sweep, loggers=["tensorboard"]), sweep_id="0a1b"))
    ['TensorBoard']
    """
    made: dict[str, TrialLogs] = {}
    for name in config.loggers:
        if name == "tensorboard":
            from search.loggers.tensorboard import tensorboard_logs

            made[_TITLES[name]] = tensorboard_logs(config)
        else:
            from search.loggers.wandb import wandb_logs

            made[_TITLES[name]] = wandb_logs(config, sweep_id)
    return made
