"""The MLflow UI that a comparison starts ends with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsers import answers, free_port
from processes import Script
from scripted import report_only
from sweep_fixtures import MakeSweep

from search.driver import run_sweep


@pytest.mark.slow
def test_the_ui_leaves_no_server_behind(make_sweep: MakeSweep, tmp_path: Path) -> None:
    config = make_sweep(trials=1)
    assert run_sweep(config, report_only).succeeded
    port = free_port()
    command = ("compare_trials.py", config.name, "--sweeps-dir", config.sweeps_dir, "--ui", f"--port={port}")
    with Script(*command, cwd=tmp_path) as script:
        script.until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        assert script.descendants(), "the server is a process of its own"
        script.terminate()
        assert script.wait() == 0, script.stderr
        script.wait_for_descendants()
