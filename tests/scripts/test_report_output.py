"""A report that cannot have all its links says so."""

from __future__ import annotations

import pytest
from sweep_makers import sweep_config

from scripts.report_output import page_of
from search.errors import TrackingDown
from search.results.leaderboard import savings
from search.results.summary import SweepSummary


def test_a_store_that_is_away_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(summary: SweepSummary) -> None:
        raise TrackingDown("the store does not answer")

    monkeypatch.setattr("search.tracking.pages.server.sweep_page", away)
    summary = SweepSummary(sweep_config(), "id", [], {}, savings([], 3))
    assert page_of(summary) is None
    told = capsys.readouterr().err
    assert told == "no link to the sweep's run in MLflow: the store does not answer\n"
