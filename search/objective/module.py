"""Where a training function's module lies, so that every script and worker finds it as the first one did."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import logging
import os
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from search.errors import UserError

_logger = logging.getLogger(__name__)
_SCRIPT = "__main__"


def module_place(name: str) -> str | None:
    """The folder on the import path that an imported module was found in, or the file of the main script.

    None for one that is found anyway, because it is installed or this project's own; and for one that was
    made in another way than by importing its name.
    """
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return None
    path = Path(os.path.abspath(file))
    if name == _SCRIPT:
        return str(path)
    above = name.count(".") + (path.stem == "__init__")
    folder = path.parents[min(above, len(path.parents) - 1)]
    return str(folder) if _holds(folder, name) and folder not in _found_anyway() else None


def import_objective_module(name: str, place: str | None) -> ModuleType:
    """Import a module from where it lay when the sweep last ran.

    Its folder is put first on the import path, for good: the module may import its neighbours later.

    Args:
        name: of the module.
        place: as `module_place` had it.

    Raises:
        UserError: it is not there, or cannot be imported; says what was looked for.
    """
    if name == _SCRIPT:
        return _script(place)
    in_place = place is not None and _holds(Path(place), name)
    if in_place and place not in sys.path:
        assert place is not None
        sys.path.insert(0, place)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # of whatever kind a user's module raises as it is imported
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        cause = kind + " ".join(str(error).split())
        raise UserError(
            f"training function's module {name!r} cannot be imported ({cause}): {_remedy(name, place)}"
        ) from error
    if place is not None and module_place(name) != place:
        file = getattr(module, "__file__", None) or "what has no file"
        if in_place:
            raise UserError(
                f"training function's module {name!r} is {file} in this process, and the sweep's own is in "
                f"{place}: give one of them another name"
            )
        _logger.warning(
            "%s is not there any more: continuing with the training function in %s", _file(place, name), file
        )
    return module


def _script(place: str | None) -> ModuleType:
    """The script that launched the sweep: it runs again, or it can be imported without running."""
    if place is None or place == module_place(_SCRIPT) or not _is_guarded(Path(place)):
        return sys.modules[_SCRIPT]
    return import_objective_module(Path(place).stem, str(Path(place).parent))


def _is_guarded(script: Path) -> bool:
    """Whether a script does what it does below `if __name__ == "__main__"`."""
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    tests = (statement.test for statement in tree.body if isinstance(statement, ast.If))
    names = (node.id for test in tests for node in ast.walk(test) if isinstance(node, ast.Name))
    return "__name__" in names


def _remedy(name: str, place: str | None) -> str:
    if place is None:
        return "run from the folder that holds its module, or install it"
    if _holds(Path(place), name):
        return f"mend {_file(place, name)}, or the environment that it needs"
    return f"it was {_file(place, name)}: put it back, or say in PYTHONPATH which folder holds it now"


def _file(place: str, name: str) -> Path:
    """What a module's file, or its package's folder, is looked for as."""
    path = Path(place, *name.split("."))
    return path if path.is_dir() else path.with_suffix(".py")


def _holds(folder: Path, name: str) -> bool:
    path = folder.joinpath(*name.split("."))
    files = (Path(f"{path}{suffix}") for suffix in importlib.machinery.all_suffixes())
    return path.is_dir() or any(file.is_file() for file in files)


def _found_anyway() -> set[Path]:
    installed = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    return {*installed, Path(__file__).parents[2]}
