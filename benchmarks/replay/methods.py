"""The search methods that are compared, by name: what they set of a sweep's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Method:
    """A sampler and a pruner.

    Example:
        >>> METHODS["default"].settings
        {'sampler': 'tpe', 'pruner': 'auto'}
    """

    settings: Mapping[str, Any]


METHODS = {
    "default": Method({"sampler": "tpe", "pruner": "auto"}),
    "random": Method({"sampler": "random", "pruner": "none"}),
    "random + asha": Method({"sampler": "random", "pruner": "asha"}),
    "tpe + median": Method({"sampler": "tpe", "pruner": "median"}),
    "tpe + asha": Method({"sampler": "tpe", "pruner": "asha"}),
    "gp": Method({"sampler": "gp", "pruner": "auto"}),
}
