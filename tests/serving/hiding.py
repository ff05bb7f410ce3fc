"""Run a script as if packages were not installed: `python hiding.py PACKAGE,... script.py arguments...`."""

import runpy
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

HIDDEN, SCRIPT = frozenset(sys.argv[1].split(",")), sys.argv[2]


class Hiding(PathFinder):
    """Python's own finder, which does not see these."""

    @classmethod
    def find_spec(cls, fullname: str, *args: Any, **kwargs: Any) -> ModuleSpec | None:
        hidden = fullname.partition(".")[0] in HIDDEN
        return None if hidden else super().find_spec(fullname, *args, **kwargs)


sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
sys.argv = sys.argv[2:]
runpy.run_path(SCRIPT, run_name="__main__")
