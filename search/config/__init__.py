"""What a sweep is: its configuration, checked, and where its things lie.

For others: `sweep_config` (the whole of it), of which `definition` (what the trials are) and `run_settings`
(how they are run, with `size`, `resources` and `finishing`) are the parts, `method` what needs no Optuna to
be said, and `model` what all settings share; `folder_file` (`sweep.json`), `goals` (a metric and its
direction), `names` (checked by the rules of whoever gets them), `places` (made absolute), `credentials`
(hidden).
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.config.definition import Definition
    from search.config.run_settings import RunSettings
    from search.config.sweep_config import SweepConfig

__all__ = ["Definition", "RunSettings", "SweepConfig"]

_ROOMS = {"Definition": "definition", "RunSettings": "run_settings", "SweepConfig": "sweep_config"}

if not TYPE_CHECKING:  # loaded when they are asked for: a definition needs Optuna, which --help does without

    def __getattr__(name: str) -> object:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
