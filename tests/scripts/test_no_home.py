"""A sweep where there is no home leaves nothing where it would be, and warns of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Script
from script_runs import write_space

QUICK = ["--trials=1", "--max-epochs=1", "--train-size=100", "--val-size=50", "--space=my_space.py"]


@pytest.mark.slow
@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_written_below_home(tmp_path: Path, digits_dir: Path, there: bool) -> None:
    home = tmp_path / "home"
    if there:
        home.mkdir()
    write_space(tmp_path / "my_space.py", "'lr': FloatDistribution(0.01, 0.1)", "'depth': 1, 'width': 8")
    # The mode is what a process below one that has started a Ray finds.
    below_ray = {"HOME": str(home), "RAY_AUTH_MODE": "token"}
    with Script(
        "launch_sweep.py", "night", *QUICK, f"--data-dir={digits_dir}", cwd=tmp_path, **below_ray
    ) as script:
        assert script.wait() == 0, script.stderr
        assert "WARNING" not in script.stderr
        script.wait_for_descendants()
    if there:
        assert not (home / ".ray").exists(), "Ray's token is the session's own"
    else:
        assert not home.exists()
    assert not any(folder.exists() for folder in script.ray_folders)
