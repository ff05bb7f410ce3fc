"""What to type to go on with a sweep, as messages tell it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from search.config.places import absolute
from search.config.sweep_config import SweepConfig


def resume_command(config: SweepConfig) -> str:
    """What to type to go on with a sweep."""
    return command("resume_sweep.py", config)


def command(script: str, config: SweepConfig) -> str:
    """What to type to run a script on a sweep: in the way in which this one was run, with uv or without."""
    usual = config.sweeps_dir == absolute(Path("sweeps")) and "SWEEPS_DIR" not in os.environ
    folder = "" if usual else f" --sweeps-dir {shlex.quote(str(config.sweeps_dir))}"
    return f"{typed(script)} {config.name}{folder}"


def typed(script: str) -> str:
    """How to begin a command that runs a script."""
    under_uv = "UV" in os.environ  # `uv run` sets it
    return f"uv run scripts/{script}" if under_uv else f"python -m scripts.{script.removesuffix('.py')}"
