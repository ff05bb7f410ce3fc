"""Recorded curves: what the trials of both sweeps reported, as a table that the replay reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from benchmarks.record_curves import RANGES, write_table
from benchmarks.replay.tables import Table
from search.study.records import Epoch, TrialRecord


def trained(number: int, accuracies: list[float], seconds: float, **params: Any) -> TrialRecord:
    epochs = tuple(
        Epoch(n, {"val_acc": accuracy, "epoch_s": seconds + 1 / n}, 0, "host:1")
        for n, accuracy in enumerate(accuracies, 1)
    )
    return TrialRecord(number, TrialState.COMPLETE, params, epochs)


def test_trials_become_a_table_that_the_replay_reads(tmp_path: Path) -> None:
    low = {name: each.low for name, each in RANGES.items()}
    high = {name: each.high for name, each in RANGES.items()}
    middle = {**low, "lr": 0.0316228, "width": 8}
    first = [
        trained(0, [0.25, 0.5], 1.5, **low),
        trained(1, [0.5], 2.5, **high),  # diverged in its second epoch
        trained(2, [0.125, 0.75], 3.5, **middle),
    ]
    write_table(tmp_path, first, [trained(0, [0.25, 0.375], 1.5, **low)], epochs=2)

    table = Table(tmp_path / "cnn.npz")
    assert table.space.parameters == RANGES
    assert table.curves == pytest.approx(np.array([[0.75, 0.5], [0.5, np.nan], [0.875, 0.25]]), nan_ok=True)
    assert table.seconds == pytest.approx([2 / 3.5, 1, 4 / 3.5]), "the quickest epoch, beside the median"
    session = table.session()
    assert session.had(0, middle) == pytest.approx(middle)
    assert (session.value(0, 1), session.end(0)) == pytest.approx((0.875, 0.25))
    with np.load(tmp_path / "cnn.npz") as stored:
        assert stored["again"] == pytest.approx(np.array([[0.75, 0.625]]))
