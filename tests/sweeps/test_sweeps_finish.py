"""`--finish` killed in each of its phases: the resume goes on where it was, with the same trainings."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path

import pytest
from scripted import log_lines
from sweep_checks import check_study
from sweep_fixtures import scripted_sweep
from test_sweeps_killed import cluster, resume

from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.finalists.spending import spending
from search.results.summary import summarise

EPOCHS, AT_ONCE = 3, 2


@pytest.mark.slow
@pytest.mark.timeout(900)  # four drivers, of which each starts up to three sweeps
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_that_is_killed_in_each_phase_is_finished_out_of_its_budget(
    tmp_path: Path, tracking_uri: str
) -> None:
    """Ten trainings: six to search, three to confirm two finalists, one to retrain."""
    log = tmp_path / "log"
    config = scripted_sweep(
        sweeps_dir=tmp_path / "sweeps",
        tracking_uri=tracking_uri,
        trials=None,
        budget="10x",
        finish=True,
        max_epochs=EPOCHS,
        pruner="none",
        concurrency=AT_ONCE,
        settings={"log": str(log), "epoch_s": 0.3},
    )
    config.save()
    for phase in ("search", "confirm", "retrain"):
        with resume(config, tmp_path, "--ray-address", cluster()) as driver:
            driver.until(functools.partial(has_begun, config, phase))
            driver.kill()
    with resume(config, tmp_path, "--ray-address", cluster(), "--json") as last:
        assert last.wait() == 0, last.stderr
        told = json.loads(last.stdout)
    check_study(config, 6)
    whole = {"search": 6 * EPOCHS, "confirm": 3 * EPOCHS, "retrain": EPOCHS}
    assert {phase: told["spending"][phase] for phase in whole} == whole
    assert told["spending"]["epochs_left"] == 0
    assert len(told["retraining"]["finalists"]) == 2
    assert sum(finalist["n"] for finalist in told["retraining"]["finalists"]) == 3
    begun = Counter((line["trial"], line["epoch"]) for line in log_lines(log))
    assert sum(begun.values()) <= 10 * EPOCHS + 3 * AT_ONCE, "at most the epochs in flight are trained again"


def has_begun(config: SweepConfig, phase: str) -> bool:
    """Whether the study of a phase holds an epoch."""
    try:
        records = summarise(config.name, config.sweeps_dir).records
    except UserError:  # there is none yet
        return False
    return bool(getattr(spending(config, records), phase))
