"""Launches at the same moment get different sweeps, and one that comes to nothing leaves nothing."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from sweep_makers import sweep_config

from search.config.sweep_config import sweep_names
from search.errors import UserError
from search.launching.claim import claimed
from search.launching.launch import fresh_name

AT_ONCE = 8


def numbered(sweeps_dir: Path) -> Callable[[], str]:
    return functools.partial(fresh_name, "quickstart", sweeps_dir)


def test_launches_without_a_name_at_the_same_moment_get_different_sweeps(tmp_path: Path) -> None:
    sweeps = tmp_path / "new" / "sweeps"
    together = threading.Barrier(AT_ONCE)

    def launch(_: int) -> str:
        config = sweep_config(sweeps, name=fresh_name("quickstart", sweeps))
        together.wait(timeout=20)  # all have found the same name to be free
        with claimed(config, numbered(sweeps)) as mine:
            mine.save()
            return mine.name

    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = list(pool.map(launch, range(AT_ONCE)))
    assert sorted(names) == [f"quickstart-{number}" for number in range(1, AT_ONCE + 1)]
    assert sweep_names(sweeps) == sorted(names)


@pytest.mark.parametrize("named", [True, False])
def test_a_launch_that_comes_to_nothing_leaves_nothing(tmp_path: Path, named: bool) -> None:
    sweeps = tmp_path / "new" / "sweeps"
    for _ in range(2):
        with (
            pytest.raises(UserError, match="no cores"),
            claimed(sweep_config(sweeps), None if named else numbered(sweeps)),
        ):
            raise UserError("no cores")
        assert list(tmp_path.iterdir()) == []


def test_a_typed_name_stays_though_an_empty_folder_is_left_of_it(tmp_path: Path) -> None:
    (tmp_path / "try").mkdir()
    with claimed(sweep_config(tmp_path), None) as config:
        assert config.name == "try"
    assert (tmp_path / "try").is_dir(), "it was there before"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"sweep folder .*file/try: Not a directory; .*`sweeps_dir`"),
        claimed(sweep_config(tmp_path / "file"), None),
    ):
        pass


def test_a_number_that_another_folders_sweep_has_in_the_storage_is_taken(
    sqlite_storage: RDBStorage, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(study_name="quickstart-1", storage=sqlite_storage)
    assert fresh_name("quickstart", tmp_path, url) == "quickstart-2"
    assert fresh_name("quickstart", tmp_path, f"sqlite:///{tmp_path / 'new.db'}") == "quickstart-1"
    assert not (tmp_path / "new.db").exists()


def test_a_long_files_name_makes_a_name_that_does(tmp_path: Path) -> None:
    assert sweep_config(name=fresh_name("x" * 200 + ".py", tmp_path)).name == "x" * 50 + "-1"
