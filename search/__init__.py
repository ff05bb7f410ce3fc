"""Many runs: ask, place, prune, log, resume, retrain.

What users import is here: `from search import SearchSpace, SweepConfig, TrialContext, open_sweep, run_sweep`.
It is loaded when it is asked for, for Ray takes seconds, and every script's `--help` imports this package.
"""

import importlib
import os
from typing import TYPE_CHECKING

from cifar_cnn.home import provide_home

if TYPE_CHECKING:
    from search.config.sweep_config import SweepConfig
    from search.driver import SweepResult, run_sweep
    from search.errors import SweepFailed, UserError
    from search.objective.context import TrialContext, TrialStopped
    from search.reader import Sweep, open_sweep
    from spaces.space import SearchSpace

__all__ = [
    "SearchSpace",
    "Sweep",
    "SweepConfig",
    "SweepFailed",
    "SweepResult",
    "TrialContext",
    "TrialStopped",
    "UserError",
    "open_sweep",
    "run_sweep",
]

provide_home()  # before any library looks for one

# Ray reads this when it is first imported. Under `uv run` its hook would otherwise start every worker
# through `uv run` again, in a copied folder: 18 to 40 s before the first trial. On a cluster the nodes
# have the environment installed.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
# Likewise. A local Ray is reached over loopback alone, as on macOS: it needs no network, looks no host name
# up, outlives a change of the machine's address, and opens no port to others. (A cluster is joined at its
# own address, whatever this says.)
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

_ROOMS = {
    "SearchSpace": "spaces.space",
    "Sweep": "search.reader",
    "SweepConfig": "search.config.sweep_config",
    "SweepFailed": "search.errors",
    "SweepResult": "search.driver",
    "TrialContext": "search.objective.context",
    "TrialStopped": "search.objective.context",
    "UserError": "search.errors",
    "open_sweep": "search.reader",
    "run_sweep": "search.driver",
}

if not TYPE_CHECKING:  # which would take any name for one that is here

    def __getattr__(name: str) -> object:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_ROOMS[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
