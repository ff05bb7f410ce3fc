"""A script with some of the project's constants changed.

python patched_script.py '{"search.study.lease.TTL_S": 2}' resume_sweep NAME --sweeps-dir DIR
"""

from __future__ import annotations

import importlib
import json
import sys

from scripts import cli

for _place, _value in json.loads(sys.argv[1]).items():
    _module, _, _name = _place.rpartition(".")
    _loaded = importlib.import_module(_module)
    assert hasattr(_loaded, _name), f"no constant {_place}"
    setattr(_loaded, _name, _value)
_script = importlib.import_module(f"scripts.{sys.argv[2]}")
sys.argv = [f"{sys.argv[2]}.py", *sys.argv[3:]]
cli.main(_script.app)
