"""A time budget ends a sweep in time, says so, and a resume goes on."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import TrialState
from sweep_checks import check_study, check_view, records_in
from sweep_fixtures import MakeSweep

from search.driver import run_sweep
from search.engine.dispatch import STOP_GRACE_S
from search.engine.observers import Stop

BUDGET_S = 6.0
SHUTDOWN_S = 15.0  # to end workers and bring the view up to date, on a busy machine


def test_a_time_budget_ends_the_sweep_and_a_resume_goes_on(make_sweep: MakeSweep, tmp_path: Path) -> None:
    settings = {"log": str(tmp_path / "log"), "epoch_s": 0.4}
    config = make_sweep(trials=500, concurrency=1, settings=settings, time_budget=BUDGET_S)
    result = run_sweep(config)
    assert result.stop is Stop.TIME_BUDGET
    assert result.succeeded, "it did what was asked for"
    assert result.seconds < BUDGET_S + STOP_GRACE_S + SHUTDOWN_S
    begun = records_in(config)
    assert begun, "six seconds are enough to begin"

    more = len(begun) + 1
    resumed = run_sweep(config.model_copy(update={"trials": more, "time_budget": None}))
    assert resumed.stop is None
    records = check_study(config, more)
    assert [r.epochs[: len(b.epochs)] for r, b in zip(records, begun, strict=False)] == [
        b.epochs for b in begun
    ]
    assert all(record.state is TrialState.COMPLETE for record in records)
    check_view(config)
