"""What goes to the workers with a training function, and what is refused before anything is made."""

from __future__ import annotations

import pickle
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.errors import UserError
from search.objective.module import module_place
from search.objective.portable import MOST_BYTES, PortableObjective
from search.objective.reference import load_objective

BIG = MOST_BYTES // 8 + 1_000_000  # of float64

SCRIPT = """
import threading
import numpy as np

DATA = np.zeros({big})

LOCK = threading.Lock()
MINE = 3

class Holder:
    def __init__(self):
        self.images = DATA
    def train(self, params, context):
        pass

def helper():
    return [each for each in (lambda: DATA)()]

HOLDER = Holder()

def light(params, context):
    return MINE, context.DATA
def heavy(params, context):
    return DATA.sum()
def nested(params, context):
    return helper()
def locked(params, context):
    with LOCK:
        pass
def default(params, context, data=DATA):
    pass
def held(params, context):
    return HOLDER
def closing(data):
    def closed(params, context):
        return data
    return closed
closed = closing(DATA)
"""


@pytest.fixture(scope="module")
def script() -> types.ModuleType:
    """A script as Python runs it: its functions travel whole, for nobody can import them."""
    module = types.ModuleType("not_to_be_imported")
    exec(SCRIPT.format(big=BIG), module.__dict__)
    return module


@pytest.mark.parametrize(
    ("name", "blamed"),
    [
        ("heavy", r"its global 'DATA', a ndarray, takes 58 MB, and all of it may take 50 MB: "),
        ("nested", r"its global 'helper' -> global 'DATA', a ndarray, takes 58 MB"),
        ("locked", r"its global 'LOCK', a lock, cannot be pickled \(.*lock.*\): "),
        ("default", r"its default, a ndarray, takes 58 MB"),
        ("held", r"its global 'HOLDER' -> attribute 'images', a ndarray, takes 58 MB"),
        ("closed", r"its closure variable 'data', a ndarray, takes 58 MB"),
    ],
)
def test_what_is_too_heavy_or_cannot_travel_is_named(
    script: types.ModuleType, name: str, blamed: str
) -> None:
    with pytest.raises(UserError, match=blamed) as refusal:
        PortableObjective.of(getattr(script, name))
    told = str(refusal.value)
    assert told.startswith(f"objective '{name}' cannot go to the workers: ")
    assert "make or load that inside of the function" in told
    assert "\n" not in told


def test_what_is_too_heavy_together_is_told_by_its_largest_part() -> None:
    one, two = np.zeros(BIG // 2), np.zeros(BIG // 2 + 100_000)

    def train(params: Any, context: Any) -> None:
        one.sum() + two.sum()

    with pytest.raises(UserError, match=r"its closure variable 'two', a ndarray, takes 30 MB, and all of it"):
        PortableObjective.of(train)


def test_what_refers_to_itself_is_told_too() -> None:
    lock = threading.Lock()

    class Loop:
        def __init__(self) -> None:
            self.me, self.lock = self, lock

    loop = Loop()

    def train(params: Any, context: Any) -> None:
        assert loop

    with pytest.raises(UserError, match=r"closure variable 'loop' -> .*'lock', a lock, cannot be pickled"):
        PortableObjective.of(train)


def test_what_is_light_arrives_with_what_it_uses(script: types.ModuleType) -> None:
    context = types.SimpleNamespace(DATA="an attribute called as the heavy global")
    sent = pickle.dumps(PortableObjective.of(script.light))
    assert len(sent) < 2000
    pickle.loads(sent)(None, context)  # type: ignore[misc]


def module_file(folder: Path, name: str, code: str = "") -> Path:
    """A user's module, in a package where its name has dots."""
    file = folder.joinpath(*name.split(".")).with_suffix(".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    for package in [parent for parent in file.parents if folder in parent.parents]:
        (package / "__init__.py").touch()
    file.write_text(f"{code}\ndef train(params, context):\n    context.append(__file__)\n")
    return file


def called(objective: Any) -> str:
    files: list[str] = []
    objective({}, files)
    return files[0]


@pytest.mark.parametrize("name", ["beside_mine", "mypackage.inner.training", "onlypackage"])
def test_a_module_beside_the_script_is_found_again_from_anywhere(
    tmp_path: Path, name: str, clean_imports: Callable[[], None]
) -> None:
    file = module_file(tmp_path, name if name != "onlypackage" else "onlypackage.__init__")
    sys.path.insert(0, str(tmp_path))
    objective = load_objective(f"{name}:train")
    place = module_place(name)
    assert place == str(tmp_path)
    sent = pickle.dumps(PortableObjective.of(objective))
    clean_imports()
    with pytest.raises(UserError, match="run from the folder that holds its module"):
        load_objective(f"{name}:train")
    assert called(load_objective(f"{name}:train", place)) == str(file)
    clean_imports()
    assert called(pickle.loads(sent)) == str(file), "and in a worker"
    clean_imports()


def test_of_two_modules_of_one_name_each_sweep_gets_its_own(
    tmp_path: Path, clean_imports: Callable[[], None]
) -> None:
    files = [module_file(tmp_path / folder, "samename") for folder in ("one", "two")]
    for file in files:
        assert called(load_objective("samename:train", str(file.parent))) == str(file)
        clean_imports()
    load_objective("samename:train", str(files[0].parent))
    with pytest.raises(
        UserError, match=rf"is {files[0]} in this process, and the sweep's own is in {files[1].parent}"
    ):
        load_objective("samename:train", str(files[1].parent))
    clean_imports()


def test_a_module_that_was_moved_is_told_with_what_was_looked_for(
    tmp_path: Path, clean_imports: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    file = module_file(new, "moved.training")
    gone = old / "moved" / "training.py"
    with pytest.raises(UserError, match=f"it was {gone}: put it back, or say in PYTHONPATH which folder"):
        load_objective("moved.training:train", str(old))
    sys.path.append(str(new))  # as PYTHONPATH does
    assert called(load_objective("moved.training:train", str(old))) == str(file)
    assert [record.getMessage() for record in caplog.records] == [
        f"{gone} is not there any more: continuing with the training function in {file}"
    ]
    assert module_place("moved.training") == str(new)
    clean_imports()


def test_a_module_that_is_broken_is_told_in_one_line(
    tmp_path: Path, clean_imports: Callable[[], None]
) -> None:
    file = module_file(tmp_path, "broken", "1 / 0")
    with pytest.raises(UserError, match=rf"\(ZeroDivisionError: division by zero\): mend {file}"):
        load_objective("broken:train", str(tmp_path))
    clean_imports()


def test_what_is_installed_or_our_own_needs_no_place() -> None:
    for name in ("json", "numpy", "search.finalists.repeats", "search.cifar.objective"):
        __import__(name)
        assert module_place(name) is None


def test_where_a_module_is_not_a_trial_says_so() -> None:
    gone = PortableObjective(("/projects/mine",), b"cmytraining_that_is_gone\ntrain\n.")
    gone.prepare()
    with pytest.raises(
        ImportError, match=r"No module named 'mytraining_that_is_gone'\); it is in /projects/mine on"
    ):
        gone({}, [])  # type: ignore[arg-type]


def test_a_script_is_named_by_its_file(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"is in the script that launched this sweep: run {tmp_path / 'sweep.py'} again"
    ):
        load_objective("__main__:gone_by_now", str(tmp_path / "sweep.py"))
