"""Find a search space by what a person types: the name of a shipped one, or the path to a Python file."""

import runpy
import traceback
from pathlib import Path

from spaces import baseline, fast, quickstart, resnet, wide
from spaces.nearest import unknown
from spaces.space import InvalidSpace, SearchSpace

_SHIPPED = {
    space.name: space for space in (quickstart.SPACE, baseline.SPACE, fast.SPACE, wide.SPACE, resnet.SPACE)
}


def shipped_spaces() -> tuple[str, ...]:
    """The names of the spaces that come with the project, the smallest first."""
    return tuple(_SHIPPED)


def load_space(reference: str) -> SearchSpace:
    """The shipped space of this name, or the one that the Python file at this path defines.

    A file stands alone: it may import what is installed, but not its neighbours. It defines one
    `SearchSpace` at its top level under any name, or several of which one is called `SPACE`.

    Raises:
        InvalidSpace: there is no such name or file, the file fails to run (with the line and the
            cause), or it defines no space or more than one.
    """
    if reference in _SHIPPED:
        return _SHIPPED[reference]
    path = Path(reference)
    if path.is_file():
        return _space_in(path)
    if path.suffix == ".py" or len(path.parts) > 1:
        raise InvalidSpace(f"no file {reference!r} with a search space; check the path from {Path.cwd()}")
    raise InvalidSpace(
        f"unknown search space {unknown(reference, _SHIPPED)}; "
        "for your own, give the path to a Python file, such as my_space.py"
    )


def space_source(reference: str) -> str:
    """Where a space comes from, wherever that is read later: its name, or its file's absolute path."""
    return reference if reference in _SHIPPED else str(Path(reference).absolute())


def _space_in(path: Path) -> SearchSpace:
    try:
        # Unlike an import, this leaves nothing in sys.modules and no bytecode beside the file.
        names = runpy.run_path(str(path))
    # SystemExit too: whatever the file does, it is one space that cannot be had.
    except (Exception, SystemExit) as error:
        raise InvalidSpace(_failure(path, error)) from error
    spaces = {name: value for name, value in names.items() if isinstance(value, SearchSpace)}
    chosen = spaces.get("SPACE")
    if chosen is not None:
        return chosen
    if len({id(space) for space in spaces.values()}) > 1:
        raise InvalidSpace(
            f"{path} defines several search spaces: {', '.join(spaces)}; call the one to use SPACE"
        )
    if not spaces:
        raise InvalidSpace(
            f"{path} defines no search space; put SPACE = SearchSpace(...) at its top level, "
            "with SearchSpace from spaces.space"
        )
    return next(iter(spaces.values()))


def _failure(path: Path, error: BaseException) -> str:
    """One line: the file, the line in it that failed, the cause, and what stands there."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line, source = (own[-1].lineno, own[-1].line) if own else (None, None)
    cause = str(error)
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, source, cause = error.lineno, error.text, error.msg
    place = f"{path}, line {line}" if line else str(path)
    if isinstance(error, InvalidSpace):
        return f"{place}: {cause}"
    remedy = f"correct `{source.strip()}`" if source else "correct the file"
    return f"{place}: {type(error).__name__}: {' '.join(cause.split()).rstrip('.')}; {remedy}"
