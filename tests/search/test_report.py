"""A report is one file that needs nothing else, whatever the sweep has come to."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sweep_makers import CONDITIONAL, epoch, sweep_config

from search.config import SweepConfig
from search.ledger import Ledger
from search.records import StopReason
from search.reporting.paper_figures import write_figures
from search.reporting.report import write_report
from search.storage import open_storage


def study_of(sweeps_dir: Path, trials: int) -> SweepConfig:
    """A sweep of which every third trial was pruned, and the seventh failed."""
    config = sweep_config(sweeps_dir, trials=max(1, trials), space=CONDITIONAL, sampler="random")
    config.save()
    storage = open_storage(config.storage_url)
    ledger = Ledger.open(config, storage)
    for number in range(trials):
        ledger.ask()
        ledger.report(number, epoch(1, 0.3 + number / 1000, worker=f"host:{number % 2}"))
        if number == 7:
            ledger.fail(number, StopReason.ERROR, "ValueError: <script>alert(1)</script>")
        elif number % 3 == 1:
            ledger.prune(number)
        else:
            ledger.report(number, epoch(2, 0.4 + number / 1000, worker=f"host:{number % 2}"))
            ledger.complete(number)
    storage.remove_session()
    storage.engine.dispose()
    return config


@pytest.mark.parametrize("trials", [0, 1, 20, 300])
def test_a_report_stands_by_itself(trials: int, tmp_path: Path) -> None:
    config = study_of(tmp_path, trials)
    html = write_report(config.name, tmp_path, tmp_path / "reports" / "try.html").read_text()
    body = html.partition("</script>")[2]  # after plotly's own code
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html), "nothing is loaded from elsewhere"
    assert "Learning curves" in body
    assert "Timeline of the workers" in body
    assert len(re.findall(r"<td>trial-\d{3}</td>", body)) == {0: 0, 1: 1, 20: 13, 300: 20}[trials]
    assert ("Parameter importances" in body) == (trials >= 20)
    assert ("&lt;script&gt;alert(1)" in body) == (trials >= 20)
    assert "<script>alert" not in body
    assert len(html) < 8_000_000


def test_curves_and_bars_are_those_of_the_study(tmp_path: Path) -> None:
    from search.comparison import summarise
    from search.reporting.figures import learning_curves, timeline

    config = study_of(tmp_path, 8)
    records = summarise(config.name, tmp_path).records
    curves = learning_curves(config, records).data
    assert [list(curve.y) for curve in curves] == [
        [each.metrics["val_acc"] for each in record.epochs] for record in records
    ]
    assert [curve.marker.symbol[-1] for curve in curves[:3]] == ["circle", "x", "circle"]
    bars = timeline(records).data
    assert sum(len(bar.x) for bar in bars) == sum(len(record.epochs) for record in records)
    assert {name for bar in bars for name in bar.y} == {"worker 1", "worker 2"}


@pytest.mark.parametrize("trials", [0, 1, 20])
def test_figures_for_papers_are_complete_files(trials: int, tmp_path: Path) -> None:
    from matplotlib import pyplot
    from PIL import Image

    config = study_of(tmp_path, trials)
    pyplot.get_backend()  # chosen now, which is itself a change of the style
    style = pyplot.rcParams.copy()
    files = write_figures(config.name, tmp_path, tmp_path / "figures")
    assert len(files) == {0: 0, 1: 2 * 3, 20: 2 * 7}[trials]
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as image:
                image.verify()
                assert min(image.size) > 200
        else:
            assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert pyplot.rcParams == style
    assert not pyplot.get_fignums()
    first = [file.read_bytes() for file in files if file.suffix == ".svg"]
    again = write_figures(config.name, tmp_path, tmp_path / "again")
    assert [file.read_bytes() for file in again if file.suffix == ".svg"] == first
