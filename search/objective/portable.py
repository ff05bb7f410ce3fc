"""A training function on its way to the workers: where its module lies, and what it takes along."""

from __future__ import annotations

import contextlib
import dis
import functools
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cloudpickle

from search.errors import UserError
from search.objective.context import Objective, TrialContext
from search.objective.module import module_place
from search.objective.repeated import makers

MOST_BYTES = 50_000_000  # of a function's pickle: it is kept in memory, sent to every worker and node


@dataclass(frozen=True)
class PortableObjective:
    """An objective, pickled: a worker unpickles it with its modules' folders on the import path.

    It is then kept for the worker's next trials. Where that fails, calling it is the trial's error.

    Example:
        >>> import cloudpickle, math
        >>> PortableObjective((), cloudpickle.dumps(math.sqrt)).folders
        ()
    """

    folders: tuple[str, ...]  # that its modules were imported from, but for those that workers find anyway
    pickle: bytes

    @classmethod
    def of(cls, objective: Objective) -> PortableObjective:
        """A training function as it goes to the workers.

        Args:
            objective: the function.

        Raises:
            UserError: it cannot be pickled or takes too much along; names what does.
        """
        modules = {getattr(part, "__module__", "__main__") for part in makers(objective)} - {"__main__"}
        places = (module_place(module) for module in sorted(modules))
        folders = dict.fromkeys(place for place in places if place is not None)
        return cls(tuple(folders), _pickled(objective))

    def prepare(self) -> None:
        """Unpickle it before an epoch's clock runs, for that imports all it needs; a call tells a failure."""
        with contextlib.suppress(ImportError):
            _unpickled(self.folders, self.pickle)

    def __call__(self, params: Mapping[str, Any], context: TrialContext) -> None:
        """Train a trial.

        Raises:
            ImportError: the function cannot be unpickled here.
        """
        _unpickled(self.folders, self.pickle)(params, context)


@functools.lru_cache(maxsize=1)
def _unpickled(folders: tuple[str, ...], pickle: bytes) -> Objective:
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    try:
        objective: Objective = cloudpickle.loads(pickle)
    except Exception as error:  # of whatever kind its module raises as it is imported
        where = (
            f"; it is in {' or '.join(folders)} on the driver's machine, and has to be on every node's"
            if folders
            else ""
        )
        raise ImportError(
            f"the training function cannot be imported here ({type(error).__name__}: {error}){where}"
        ) from error
    return objective


def _pickled(objective: Objective) -> bytes:
    measured = _measured(objective)
    if isinstance(measured, bytes):
        return measured
    *way, (name, value, why) = _blamed("it", objective, measured)
    through = "".join(f"{name} -> " for name, _, _ in way[1:])
    culprit = f"its {through}{name}, a {type(value).__name__}," if way else "it"
    raise UserError(
        f"objective {getattr(objective, '__name__', objective)!r} cannot go to the workers: {culprit} {why}: "
        "make or load that inside of the function, or keep both in a module of their own, which each "
        "worker imports"
    )


Blamed = tuple[str, Any, str]  # what it is called, the value, why it cannot be sent


def _blamed(name: str, value: Any, why: str) -> list[Blamed]:
    """The way from a value that cannot be sent to what is to blame within it."""
    way: list[Blamed] = []
    while True:
        way.append((name, value, why))
        new = (part for part in _parts(value) if all(part[1] is not earlier for _, earlier, _ in way))
        measured = [(*part, _measured(part[1])) for part in new]
        refused = [(name, part, result) for name, part, result in measured if isinstance(result, str)]
        if not refused and way[0][2].startswith(_TAKES):  # each alone could be sent, together they cannot
            sizes = [
                (len(result), name, part) for name, part, result in measured if isinstance(result, bytes)
            ]
            largest = max(sizes, key=lambda size: size[0], default=(0, "", None))
            refused = [(largest[1], largest[2], _takes(largest[0]))] if largest[0] > MOST_BYTES / 10 else []
        if not refused:
            return way
        name, value, why = refused[0]


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What goes along with a value: with a function what it uses, with a class or object what it holds."""
    if isinstance(value, types.MethodType):
        yield "object", value.__self__
        value = value.__func__
    if isinstance(value, types.FunctionType):
        for name in dict.fromkeys(_globals_used(value.__code__)):
            if name in value.__globals__:
                yield f"global {name!r}", value.__globals__[name]
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield f"closure variable {name!r}", cell.cell_contents
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield "default", default
    elif hasattr(value, "__dict__") and not isinstance(value, types.ModuleType):
        yield from ((f"attribute {name!r}", held) for name, held in vars(value).items())


def _globals_used(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_used(constant)


_TAKES = "takes "


def _takes(size: int) -> str:
    return f"{_TAKES}{size / 1e6:.0f} MB, and all of it may take {MOST_BYTES / 1e6:.0f} MB"


def _measured(value: Any) -> bytes | str:
    """A value's pickle, or in words why it cannot be sent."""
    file = _Counted()
    try:
        cloudpickle.dump(value, file)
    except Exception as error:  # pickling runs whatever code the value's class has for it
        return f"cannot be pickled ({' '.join(str(error).split())})"
    return _takes(file.size) if file.size > MOST_BYTES else b"".join(file.chunks)


class _Counted:
    """A file that keeps no more than may be sent, and counts the rest."""

    def __init__(self) -> None:
        self.size = 0
        self.chunks: list[bytes] = []

    def write(self, chunk: Any) -> int:
        length = memoryview(chunk).nbytes
        self.size += length
        if self.size <= MOST_BYTES:
            self.chunks.append(bytes(chunk))
        else:
            self.chunks.clear()
        return length
