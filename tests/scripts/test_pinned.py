"""Plan and sweep count the same cores: those that the process may use, not those that the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Script
from script_runs import write_space

from cifar_cnn.cores import usable_cores

ASKED = ["--trials=2", "--max-epochs=1", "--train-size=100", "--val-size=50", "--space=my_space.py"]


@pytest.fixture
def _one_core() -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity") or usable_cores() < 2:
        pytest.skip("there is no second core to be kept from")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_one_core")
@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_two_at_a_time_do_not_fit_on_the_one_core_that_is_ours(
    tmp_path: Path, digits_dir: Path, dry: list[str]
) -> None:
    write_space(tmp_path / "my_space.py", "'lr': FloatDistribution(0.01, 0.1)", "'depth': 1, 'width': 8")
    data = f"--data-dir={digits_dir}"
    with Script("launch_sweep.py", "night", *ASKED, data, "--concurrency=2", *dry, cwd=tmp_path) as script:
        assert script.wait() == 2, script.stderr
        assert "--concurrency 2: only 1 at a time fit, with 1 CPU a trial, on 1 CPU cores" in script.stderr
        assert not (tmp_path / "sweeps").exists()
