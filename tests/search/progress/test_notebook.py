"""In a notebook a sweep's table changes in place below its cell, and the best trials stay there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from search.progress.frame import Frame
from search.progress.notebook import bundle

FOLLOWED = """
import sys, time
sys.path[:0] = {paths!r}
from optuna.trial import TrialState
from search.progress.live import Progress
from sweep_makers import epoch, record, sweep_config

with Progress(sweep_config(name="night")) as progress:
    progress.sweep_opened([])
    progress.trial_changed(record(0, TrialState.RUNNING))
    time.sleep(2.5)
    progress.trial_changed(record(0, epochs=(epoch(1),), value=0.5))
    progress.trial_changed(record(1, epochs=(epoch(1),), value=0.75))
print("after it")
"""


class Watched(NotebookClient):
    """Runs a notebook, and remembers what its cells were shown on the way."""

    def process_message(self, msg: Any, *arguments: Any) -> Any:
        shown = self.__dict__.setdefault("shown", [])
        if msg["msg_type"] in ("display_data", "update_display_data"):
            shown.append(msg["content"]["data"]["text/html"])
        return super().process_message(msg, *arguments)


def test_the_table_changes_in_place_and_the_best_trials_stay(tmp_path: Path) -> None:
    floor = Path(__file__).parents[1]
    cell = nbformat.v4.new_code_cell(FOLLOWED.format(paths=[str(floor.parents[1]), str(floor)]))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    client = Watched(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    running = [html for html in client.__dict__["shown"] if "starting" in html]
    assert running
    assert all("0/4 done" in html and "0.5000" not in html for html in running)
    (table,) = [output for output in cell.outputs if output.output_type == "display_data"]
    assert table.data["text/html"].index("trial-001") < table.data["text/html"].index("trial-000")
    assert "2/4 done" in table.data["text/plain"]
    assert "so far" not in table.data["text/plain"]
    assert " left" not in table.data["text/plain"], "it is over"
    assert [output.text for output in cell.outputs if output.get("name") == "stdout"] == ["after it\n"]


def test_what_users_have_named_is_text() -> None:
    html = bundle(Frame({"<b>": ["<script>"]}, ["a & b"]))["text/html"]
    assert "&lt;b&gt;" in html
    assert "&lt;script&gt;" in html
    assert "<div>a &amp; b</div>" in html


def test_without_rows_there_are_the_lines_alone() -> None:
    assert bundle(Frame({"trial": []}, ["night: 0/4 done"])) == {
        "text/html": "<div>night: 0/4 done</div>",
        "text/plain": "night: 0/4 done",
    }
