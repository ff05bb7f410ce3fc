"""Sweeps run from Python and notebooks: what is shown, in which thread, and how a kernel is interrupted."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient
from processes import ROOT
from scripted import report_only
from sweep_checks import check_study, check_view
from sweep_fixtures import FOR_WORKERS, MakeSweep

from search import SweepConfig, SweepResult, open_sweep, run_sweep

PATIENCE_S = 90.0


def test_progress_is_shown_unless_it_is_not_wanted(
    make_sweep: MakeSweep, capsys: pytest.CaptureFixture[str]
) -> None:
    config = make_sweep(trials=2)
    run_sweep(config, report_only)
    shown = capsys.readouterr()
    assert [line.split()[:2] for line in shown.err.splitlines() if line.startswith("trial-")] == [
        ["trial-000", "complete"],
        ["trial-001", "complete"],
    ]
    assert shown.out == ""
    run_sweep(config.model_copy(update={"trials": 3}), report_only, progress=False)
    assert "trial-" not in capsys.readouterr().err


def test_a_sweep_runs_in_any_thread(make_sweep: MakeSweep) -> None:
    config = make_sweep(trials=2)
    results: list[SweepResult] = []
    thread = threading.Thread(target=lambda: results.append(run_sweep(config, report_only)))
    thread.start()
    thread.join(PATIENCE_S)
    assert results
    assert results[0].succeeded
    check_study(config, trials=2)
    check_view(config)


CELL = """
import sys
sys.path[:0] = {paths!r}
from sweep_fixtures import scripted_sweep
from search import run_sweep
config = scripted_sweep(name="night", trials={trials}, settings={{"epoch_s": {epoch_s}}})
result = run_sweep(config)
print("ended", result.stop, len(result.records))
"""


class Kernel:
    """A notebook's kernel of its own."""

    def __init__(self, folder: Path) -> None:
        manager, self._client = start_new_kernel(cwd=str(folder))
        self.manager: KernelManager = manager

    def close(self) -> None:
        self._client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def begin(self, **fields: Any) -> str:
        """Run the cell; its id."""
        paths = [str(ROOT), str(ROOT / "tests" / "sweeps")]
        return self._client.execute(CELL.format(paths=paths, **fields))

    def printed(self, cell: str) -> str:
        """What a cell has printed to stdout by its end; an error that it ended with is raised."""
        text = ""
        while True:
            message = self._client.get_iopub_msg(timeout=PATIENCE_S)
            content = message["content"]
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                text += content["text"]
            elif message["msg_type"] == "error":
                raise AssertionError("\n".join(content["traceback"]))
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    for name, value in FOR_WORKERS.items():
        monkeypatch.setenv(name, value)
    opened = Kernel(tmp_path)
    yield opened
    opened.close()


@pytest.mark.slow
def test_an_interrupted_kernel_lives_and_goes_on_with_the_sweep(kernel: Kernel, tmp_path: Path) -> None:
    cell = kernel.begin(trials=3, epoch_s=0.5)
    deadline = time.monotonic() + PATIENCE_S
    while not any(tmp_path.glob("sweeps/night/checkpoints/*/epoch-*")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kernel.manager.interrupt_kernel()  # the square in a notebook's toolbar
    assert re.search(r"ended Stop.INTERRUPTED [123]$", kernel.printed(cell).strip())
    interrupted = open_sweep("night", tmp_path / "sweeps")
    assert {"running"} <= set(interrupted.trials_frame().state) <= {"running", "complete"}
    assert kernel.printed(kernel.begin(trials=3, epoch_s=0.5)).strip() == "ended None 3"
    config = SweepConfig.load("night", tmp_path / "sweeps")
    check_study(config, trials=3)
    check_view(config)


@pytest.mark.slow
def test_the_notebook_that_runs_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEPS_HOME", str(tmp_path))
    notebook = nbformat.read(ROOT / "notebooks" / "run_sweep.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    beside = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=beside).execute()
    shown = {cell.id: str(cell.get("outputs")) for cell in notebook.cells}
    assert "12/12 done" in shown["run"]
    assert shown["run"].count("<td>trial-") == min(
        5, len(open_sweep("notebook", tmp_path / "sweeps").summary.leaderboard)
    )
    assert "'alpha': " in shown["best"]
    assert "plotly" in shown["figure"]
    assert not any("Missing packages" in text for text in shown.values()), "Ray's advice"


@pytest.mark.slow
def test_the_notebook_that_explores_makes_a_sweep_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPS_HOME", str(tmp_path))
    monkeypatch.delenv("SWEEP", raising=False)
    notebook = nbformat.read(ROOT / "notebooks" / "explore_sweep.ipynb", as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    made = "SweepRequest(name=SWEEP)"
    small = "SweepRequest(name=SWEEP, trials=6, max_epochs=2, pruner='none', train_size=300, val_size=200)"
    assert made in cells["sweep"].source
    cells["sweep"].source = cells["sweep"].source.replace(made, small)
    beside = {"metadata": {"path": str(ROOT / "notebooks")}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=beside).execute()
    shown = {cell.id: str(cell.get("outputs")) for cell in notebook.cells}
    assert all("image/png" in shown[cell] for cell in ("curves", "importances", "confirmed", "predict"))
    assert shown["importances"].count("'image/png': 'iVBOR") == 2, "bars and slices"
    assert ", seed 1" in shown["confirmed"]
    assert "repeat" not in shown["confirmed"]
    said = [output.text for cell in notebook.cells for output in cell.get("outputs", ()) if "text" in output]
    assert [text.partition(":")[0] for text in said] == ["explored"], "no warning"
