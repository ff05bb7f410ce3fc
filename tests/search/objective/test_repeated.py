"""A training function repeated with fresh seeds, wherever its module is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from search.errors import UserError
from search.objective.context import TrialContext
from search.objective.module import import_objective_module
from search.objective.portable import PortableObjective
from search.objective.reference import load_callable, load_objective
from search.objective.repeated import REPEATS, Repeated, makers

ARMS = [{"lr": 0.1}, {"lr": 0.2}]


def seed_of(kind: str, arm: int, repeat: int) -> int:
    """The seed that this training gets."""
    trained: list[tuple[Mapping[str, Any], int]] = []

    def train(params: Mapping[str, Any], context: TrialContext) -> None:
        trained.append((params, context.seed))
        assert context.settings == {"mine": 1}, "the training function's own"

    settings = {"mine": 1, REPEATS: {"kind": kind, "arms": ARMS}}
    context = TrialContext(max_epochs=1, scratch=Path(), on_report=print, seed=5, settings=settings)
    Repeated(train)({"arm": arm, "repeat": repeat}, context)
    ((params, seed),) = trained
    assert params == ARMS[arm]
    return seed


def test_each_repeat_has_a_seed_of_its_own_that_is_the_same_again_and_of_all_arms() -> None:
    asked = [(kind, 0, repeat) for kind in ("confirm", "retrain") for repeat in range(50)]
    seeds = [seed_of(*each) for each in asked]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [seed_of(*each) for each in asked]
    assert seeds == [seed_of(kind, 1, repeat) for kind, _, repeat in asked]
    assert all(1000 < seed < 2**31 for seed in seeds), "none of a sweep's, and none too large for numpy"


def test_workers_find_the_modules_of_what_is_repeated(
    tmp_path: Path, clean_imports: Callable[[], None]
) -> None:
    (tmp_path / "mine_again.py").write_text("def train(params, context): ...")
    repeated = Repeated(load_objective("mine_again:train", str(tmp_path)))
    assert makers(repeated) == [sys.modules["mine_again"].train]
    assert PortableObjective.of(repeated).folders == (str(tmp_path),)
    clean_imports()


GUARDED = """
class Net: ...
if __name__ == "__main__":
    raise SystemExit("it ran")
"""


def test_a_script_that_runs_below_its_guard_is_imported(
    tmp_path: Path, clean_imports: Callable[[], None]
) -> None:
    (tmp_path / "my_sweep.py").write_text(GUARDED)
    net = load_callable("__main__:Net", str(tmp_path / "my_sweep.py"))
    assert (net.__module__, net.__name__) == ("my_sweep", "Net")
    clean_imports()


@pytest.mark.parametrize("script", ["class Net: ...\nraise SystemExit('it ran')", "class Net: ("])
def test_a_script_that_would_run_is_not_imported(tmp_path: Path, script: str) -> None:
    (tmp_path / "my_sweep.py").write_text(script)
    place = str(tmp_path / "my_sweep.py")
    assert import_objective_module("__main__", place) is sys.modules["__main__"]
    with pytest.raises(UserError, match=r"run .*my_sweep.py again, it continues where it was; a script that"):
        load_callable("__main__:Net", place)
