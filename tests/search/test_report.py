"""A report is one file that needs nothing else, whatever the sweep has come to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sweep_makers import CONDITIONAL, epoch, sweep_config

from search.config import SweepConfig
from search.ledger import Ledger
from search.records import StopReason
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
