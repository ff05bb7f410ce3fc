"""Faults of a user's LightningModule: each fails its trial once, in a line that names the cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from faulty_module import FAULTS, Faulty
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from search.lightning import lightning_sweep
from search.results.leaderboard import cause

CAUSES = {
    "no metric": "'val_acc'",
    "vector": "val_acc",
    "exit": "SystemExit: 3",
    "worker": "DataLoader worker",
    "setup": "no such table",
    "nothing to train": "optimizer got an empty parameter list",
}


@pytest.mark.slow
def test_each_fault_fails_its_trial_once_with_its_cause(
    tmp_path: Path, tracking_uri: str, local_ray: None
) -> None:
    # A good one between two bad ones, for several that fail one after the other end a sweep.
    tried = [fault for bad in FAULTS[1:] for fault in ("none", bad)]
    enqueue = [{"fault": fault, "lr": 0.1 / (1 + place)} for place, fault in enumerate(tried)]
    result = lightning_sweep(
        Faulty,
        space={"fault": CategoricalDistribution(FAULTS), "lr": FloatDistribution(1e-3, 1.0)},
        enqueue=enqueue,
        metric="val_acc",
        max_epochs=2,
        trials=len(tried),
        pruner="none",
        concurrency=1,
        cpus_per_trial=1,
        gpus_per_trial=0,
        name="faults",
        tracking_uri=tracking_uri,
        sweeps_dir=tmp_path / "sweeps",
    ).run(progress=False)
    assert [record.params["fault"] for record in result.records] == tried, "none was tried twice"
    for record in result.records:
        fault = record.params["fault"]
        if fault == "none":
            assert record.state is TrialState.COMPLETE, record.error
        else:
            assert (record.state, record.times_lost) == (TrialState.FAIL, 0), fault
            assert CAUSES[fault] in (told := cause(record.error or "")), fault
            assert "\n" not in told
    listed = next(record.error or "" for record in result.records if record.params["fault"] == "no metric")
    assert "val_loss" in listed, "what was logged"
