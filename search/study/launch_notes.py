"""What a sweep ran with: versions, code and command, written down at every launch and resume."""

from __future__ import annotations

import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from search.config.credentials import hide, hide_in
from search.text import encodable

_PACKAGES = ("cifar-sweep", "torch", "torchvision", "pytorch-lightning", "optuna", "ray", "mlflow", "numpy")


def describe_launch() -> dict[str, Any]:
    """This process and its environment as plain JSON."""
    return {
        "time_ms": int(time.time() * 1000),
        "host": encodable(socket.gethostname()),
        "pid": os.getpid(),
        "command": encodable(shlex.join([Path(sys.argv[0]).name, *map(_shown, sys.argv[1:])])),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "code": code_version(),
    }


def _shown(argument: str) -> str:
    """An argument, `--option=URL` or a URL itself, as it may be published."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    return option + equals + hide_in(hide(value))


def code_version() -> str | None:
    """The commit of the checkout this package lies in, `+changes` if it is edited; None outside of one."""
    folder = Path(__file__).parents[1]
    try:
        commit = _git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _git(
            folder, "status", "--porcelain", "--untracked-files=no", "--", ".", "../cifar_cnn", "../spaces"
        )
    except (OSError, subprocess.SubprocessError):
        return None  # installed as a package, or no git here: versions say what they can
    return commit + ("+changes" if changed else "")


def launch_difference(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What changed in code and versions between two launches, a readable line each."""
    versions = before.get("versions", {})
    lines = [
        f"{name} {versions.get(name)} -> {current}"
        for name, current in now["versions"].items()
        if versions.get(name) != current
    ]
    if before.get("code") != now["code"]:
        lines.append(f"code {before.get('code')} -> {now['code']}")
    return lines


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
