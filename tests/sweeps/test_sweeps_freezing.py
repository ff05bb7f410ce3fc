"""A sweep that freezes its trials: stopped with some frozen, resumed, ended; MLflow shows each moment."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from sweep_checks import check_study, check_view, view_of
from sweep_fixtures import MakeSweep

from search.config.sweep_config import SweepConfig
from search.driver import run_sweep
from search.engine.observers import Stop
from search.results.freezing import choices, rungs
from search.results.size import spent
from search.study.records import Outcome, TrialRecord
from search.tracking.repair.sweep_repair import sync_sweep


class StopsAtAThaw:
    """Interrupts the sweep once a trial that was thawed is frozen again."""

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Nothing was thawed yet."""

    def trial_changed(self, record: TrialRecord) -> None:
        """As Ctrl-C does."""
        if record.frozen and record.thawed:
            signal.raise_signal(signal.SIGINT)


def freezing(make_sweep: MakeSweep) -> SweepConfig:
    return make_sweep(
        max_epochs=9, trials=None, budget="4x", sampler="auto", pruner="promotion", concurrency=2
    )


def test_a_sweep_with_frozen_trials_is_stopped_resumed_and_ended(make_sweep: MakeSweep) -> None:
    config = freezing(make_sweep)
    stopped = run_sweep(config, observers=[StopsAtAThaw()])
    assert stopped.stop is Stop.INTERRUPTED
    assert (stopped.config.sampler, stopped.config.pruner) == ("curves", "promotion")
    frozen = [record for record in stopped.records if record.outcome is Outcome.FROZEN]
    assert frozen
    assert sync_sweep(config.name, config.sweeps_dir).none
    runs = {run.info.run_name: run for run in view_of(config).trials}
    for record in frozen:
        run = runs[record.key]
        assert (run.info.status, run.data.tags["sweep.state"]) == ("RUNNING", "frozen")
        assert run.data.tags["sweep.hand_outs"].startswith("to 1: new")

    ended = run_sweep(config)
    assert ended.stop is None
    assert ended.best is not None
    records = check_study(stopped.config, len(ended.records))
    assert spent(config, records) <= 36
    assert {record.outcome for record in records} == {Outcome.COMPLETE, Outcome.PRUNED}
    assert [rung.frozen for rung in rungs(records)] == [0, 0]
    assert len(choices(records)) == sum(1 + record.thawed for record in records)
    view = check_view(config)
    assert {run.info.run_id for run in view.trials} >= {run.info.run_id for run in runs.values()}
    assert sync_sweep(config.name, config.sweeps_dir).none
    for before in frozen:
        assert records[before.number].epochs[: len(before.epochs)] == before.epochs
        assert records[before.number].hand_outs[: len(before.hand_outs)] == before.hand_outs
