"""Each floor of the house imports only the floors below it; read from the syntax trees, running nothing."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {"spaces": 0, "cifar_cnn": 1, "search": 2, "scripts": 4}
# The floors inside of `search/`, from the ground up; rooms of one line do not import each other.
SEARCH_FLOORS = (
    ("errors", "text"),
    ("objective",),
    ("config",),
    ("training",),
    ("study",),
    ("results",),
    ("policy",),
    ("engine",),
    ("ray_tune", "tracking", "progress", "loggers"),
    ("drive",),
    ("driver",),
    ("cifar", "lightning"),
    ("finalists",),
    ("reporting",),
    ("reader",),
    ("launching",),
)


def imports(tree: ast.AST) -> Iterator[str]:
    """The full name of every module or object that is imported, at the top or within a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            # importlib.import_module("...") and __import__("...")
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield str(node.args[0].value)


def packages(names: Iterable[str]) -> set[str]:
    """The top-level packages of these."""
    return {name.partition(".")[0] for name in names}


# Every module's path in the house (`search/study/ledger.py`) with what it imports.
HOUSE = {
    path.relative_to(ROOT).as_posix(): set(imports(ast.parse(path.read_text(encoding="utf-8"))))
    for floor in FLOORS
    for path in sorted((ROOT / floor).rglob("*.py"))
}


def floor(path: str) -> str:
    """The top-level folder that a module lies in."""
    return path.partition("/")[0]


def importers(package: str) -> set[str]:
    """The modules that import a package."""
    return {path for path, names in HOUSE.items() if package in packages(names)}


def test_no_module_imports_a_floor_above_its_own() -> None:
    assert {floor(path) for path in HOUSE} == set(FLOORS)
    for path, names in HOUSE.items():
        above = {name for name in packages(names) if FLOORS.get(name, -1) > FLOORS[floor(path)]}
        assert not above, f"{path} imports {above}"


def room(path: str) -> str:
    """The folder or file of `search/` that a module lies in: `study` for `search/study/ledger.py`."""
    return path.removesuffix(".py").split("/")[1]


def test_each_room_of_the_search_imports_only_rooms_below_it() -> None:
    floors = {name: height for height, names in enumerate(SEARCH_FLOORS) for name in names}
    rooms = {path: room(path) for path in HOUSE if floor(path) == "search" and path != "search/__init__.py"}
    assert set(rooms.values()) == set(floors)
    for path, own in rooms.items():
        used = {name.split(".")[1] for name in HOUSE[path] if name.startswith("search.")} - {own}
        above = {name for name in used if name in floors and floors[name] >= floors[own]}
        assert not above, f"{path} imports {above}"


@pytest.mark.parametrize(
    "folder",
    [
        "objective",
        "config",
        "training",
        "study",
        "policy",
        "results",
        "engine",
        "ray_tune",
        "progress",
        "loggers",
        "finalists",
        "reporting",
        "launching",
    ],
)
def test_a_folder_says_which_of_its_rooms_are_for_others(folder: str) -> None:
    inside = f"search/{folder}/"
    used = {
        name.split(".")[2]
        for path, names in HOUSE.items()
        for name in names
        if name.startswith(f"search.{folder}.") and not path.startswith(inside)
    }
    told = ast.get_docstring(ast.parse((ROOT / inside / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert used == set(re.findall(r"`(\w+)`", told))


@pytest.mark.parametrize("package", ["tests", "benchmarks", "docs", "notebooks"])
def test_what_is_installed_imports_nothing_that_is_not(package: str) -> None:
    assert importers(package) == set()


def test_spaces_know_ranges_and_nothing_else() -> None:
    for path in (path for path in HOUSE if floor(path) == "spaces"):
        known = {*sys.stdlib_module_names, "spaces"}
        foreign = {name for name in HOUSE[path] if name.partition(".")[0] not in known}
        assert all(name.startswith("optuna.distributions.") for name in foreign), f"{path}: {foreign}"


@pytest.mark.parametrize("package", ["ray", "optuna", "mlflow", "search", "spaces", "scripts"])
def test_training_knows_nothing_of_sweeps(package: str) -> None:
    assert {path for path in importers(package) if floor(path) == "cifar_cnn"} == set()


def test_only_the_tracking_room_imports_mlflow() -> None:
    assert importers("mlflow"), "somebody has to"
    assert {path for path in importers("mlflow") if not path.startswith("search/tracking")} == set()


@pytest.mark.parametrize("folder", ["", "/models", "/pages", "/repair"])
def test_others_use_of_tracking_what_it_offers(folder: str) -> None:
    inside = f"search/tracking{folder}"
    package = inside.replace("/", ".")
    offered = set(re.findall(r"`(\w+)`", (ROOT / inside / "__init__.py").read_text().split('"""')[1]))
    elsewhere = [names for path, names in HOUSE.items() if not path.startswith(inside)]
    used = {name.removeprefix(package) for names in elsewhere for name in names if name.startswith(package)}
    # `.room.name`, in no folder below.
    own = {name.rpartition(".")[2] for name in used if name.count(".") == 2}
    assert offered >= own
    assert own


def test_only_one_room_and_the_worker_import_ray() -> None:
    assert importers("ray"), "somebody has to"
    others = {path for path in importers("ray") if not path.startswith("search/ray_tune/")}
    assert others == {"search/engine/worker.py"}


def defined_names(tree: ast.AST) -> set[str]:
    """What a module defines, functions, classes and attributes, and what its classes inherit in here."""
    own: set[str] = set()
    bases: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            own.add(node.name)
        elif isinstance(node, ast.ClassDef):
            own.add(node.name)
            bases |= {base.id for base in node.bases if isinstance(base, ast.Name)}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            own.add(node.attr)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            own.add(node.target.id)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and bases & {alias.name for alias in node.names}:
            file = ROOT / f"{(node.module or '').replace('.', '/')}.py"
            own |= defined_names(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else set()
    return own


def private_names(tree: ast.AST) -> set[str]:
    """The private names that a module uses and does not itself define or inherit: modules' or attributes'."""
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {part for name in imports(tree) for part in name.split(".")}
    return {name for name in used - defined_names(tree) if name.startswith("_") and not name.endswith("__")}


def test_one_room_alone_knows_private_names_of_optuna() -> None:
    # Where Optuna is imported, or a class of its is inherited; any other private name is refused there too.
    near_optuna = {path for path in importers("optuna") if floor(path) == "search"}
    trees = {path: ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in near_optuna}
    using = {path: names for path, tree in trees.items() if (names := private_names(tree))}
    assert set(using) == {"search/study/optuna_private.py"}, using


def test_few_rooms_of_the_search_know_what_is_trained() -> None:
    # A machine's cores and devices, a user's home, files and seeds say nothing of what is trained.
    silent = tuple(f"cifar_cnn.{name}." for name in ("cores", "device", "files", "home", "seeds"))
    about_training = {
        path: {name for name in names if not name.startswith(silent)} for path, names in HOUSE.items()
    }
    knowing = {
        path
        for path, names in about_training.items()
        if floor(path) == "search" and "cifar_cnn" in packages(names)
    }
    of_images = ("examine", "images", "training_images")
    finalists = {f"search/finalists/{name}.py" for name in (*of_images, "repeats", "retrain")}
    cifar = {f"search/cifar/{name}.py" for name in ("objective", "sweep")}
    assert knowing == {"search/launching/plan.py", "search/launching/request.py"} | cifar | finalists


def test_lightning_has_one_name() -> None:
    # A program that mixes `lightning.pytorch` with `pytorch_lightning` gets "Expected a parent" errors.
    assert importers("lightning") == set()
    assert importers("pytorch_lightning")


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("import ray.tune as t", "ray"),
        ("from optuna import trial", "optuna"),
        ("def f():\n    import mlflow", "mlflow"),
        ("if TYPE_CHECKING:\n    from search.engine.worker import x", "search"),
        ("importlib.import_module('scripts.cli')", "scripts"),
    ],
)
def test_these_tests_see_imports_wherever_they_are(line: str, package: str) -> None:
    assert packages(imports(ast.parse(line))) >= {package}


@pytest.mark.parametrize(
    "line",
    [
        "from optuna.storages._rdb import models",
        "from optuna.samplers._tpe.sampler import _split_trials",
        "study._storage.get_trial(0)",
        "class A(GPSampler):\n    def f(self):\n        return self._rng",
    ],
)
def test_these_tests_see_private_names(line: str) -> None:
    assert private_names(ast.parse(line))


def test_a_modules_own_private_names_are_its_own() -> None:
    assert not private_names(
        ast.parse("class A:\n    def _f(self):\n        self._x = 1\n        return self._x")
    )
