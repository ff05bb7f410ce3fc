"""Lightning goes by two names, `pytorch_lightning` and `lightning.pytorch`, whose classes do not mix."""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = ("pytorch_lightning", "lightning.pytorch")


def lightning_of(module: object) -> Any:
    """The package that a LightningModule comes from; Trainer and callbacks have to be of the same.

    Args:
        module: an object.

    Raises:
        TypeError: it is no LightningModule of either.
    """
    for base in type(module).__mro__:
        for name in _NAMES:
            if base.__name__ == "LightningModule" and base.__module__.startswith(f"{name}."):
                return importlib.import_module(name)
    raise TypeError(
        f"{type(module).__name__} is no LightningModule: derive it from one of {' or '.join(_NAMES)}"
    )
