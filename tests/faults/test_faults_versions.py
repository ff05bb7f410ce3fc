"""Code or a library that changed between launch and resume: written down, and warned about."""

from __future__ import annotations

import logging
from importlib.metadata import version

import optuna
import pytest
from scripted import report_only
from sweep_checks import check_study, check_view
from sweep_fixtures import MakeSweep

from search.driver import run_sweep


def test_versions_that_changed_are_written_down_and_warned_about(
    make_sweep: MakeSweep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_sweep(trials=2)
    with caplog.at_level(logging.WARNING, "search"):
        assert run_sweep(config, report_only).succeeded
        assert "not what this sweep was last run with" not in caplog.text

        changed = {"torch": "99.0"}
        monkeypatch.setattr(
            "search.study.launch_notes.version", lambda name: changed.get(name) or version(name)
        )
        monkeypatch.setattr("search.study.launch_notes.code_version", lambda: "0123456789ab")
        more = config.model_copy(update={"trials": 3})
        assert run_sweep(more, report_only).succeeded
    warned = [r.getMessage() for r in caplog.records if "not what this sweep was last run with" in r.message]
    assert len(warned) == 1
    assert f"torch {version('torch')} -> 99.0" in warned[0]
    assert "-> 0123456789ab" in warned[0]
    study = optuna.load_study(study_name=config.name, storage=config.storage_url)
    assert [launch["versions"]["torch"] for launch in study.user_attrs["launches"]] == [
        version("torch"),
        "99.0",
    ]
    check_study(more, 3)
    check_view(more)
