"""Whole sweeps with loggers beside MLflow: what they show, what faults cost, and drivers that are killed."""

from __future__ import annotations

import logging
import os
import random
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from processes import ROOT, Script
from scripted import log_lines
from sweep_checks import check_study, check_view
from sweep_fixtures import FOR_WORKERS, MakeSweep, scripted_sweep

from search.driver import run_sweep
from search.study.records import TrialRecord

pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
pytest.importorskip("wandb", reason="the extra wandb is not installed")

from logged import Log, of_record, tensorboard_logs, wandb_offline_logs

KILLS, SEED = 4, 20
GUIDE = ROOT / "docs" / "how_to" / "loggers.md"


def check_logs(logs: dict[int, Log], records: Sequence[TrialRecord]) -> None:
    """Every epoch of every trial once."""
    assert logs.keys() == {record.number for record in records}
    for record in records:
        written, trained = logs[record.number].points, of_record(record)
        assert [step for step, _ in written] == [step for step, _ in trained]
        for (_, point), (_, metrics) in zip(written, trained, strict=True):
            assert point == pytest.approx(metrics, rel=1e-5)  # TensorBoard's are 32-bit floats
        assert logs[record.number].end


def guides_logger() -> Any:
    """The class that the guide shows."""
    code = re.search(r"^from pathlib.*?(?=^run_sweep)", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert code is not None
    known: dict[str, Any] = {}
    exec(code[0], known)
    return known["Curves"]


class Broken:
    """Raises on purpose."""

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None: ...

    def trial_changed(self, record: TrialRecord) -> None:
        raise OSError(28, "No space left on device")


def test_loggers_show_the_trials_and_their_faults_end_no_sweep(
    make_sweep: MakeSweep, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_sweep(trials=3, loggers=["tensorboard"])
    with caplog.at_level(logging.ERROR, "search"):
        result = run_sweep(
            config, observers=[Broken()], loggers=[guides_logger()(tmp_path / "curves"), Broken()]
        )
    records = check_study(config, 3)
    check_view(config)
    check_logs(tensorboard_logs(config.folder), records)
    for record in records:
        text = (tmp_path / "curves" / f"{record.key}.csv").read_text().splitlines()
        assert text == [
            "epoch,val_acc",
            *(f"{epoch.epoch},{epoch.metrics['val_acc']}" for epoch in record.epochs),
            "complete",
        ]
    assert result.loggers_missing == [
        "logger Broken lacks changes of 3 trials: OSError: [Errno 28] No space left on device"
    ]
    assert not result.succeeded
    assert "the observer Broken failed" in caplog.text
    again = run_sweep(config.model_copy(update={"loggers": []}), progress=False)
    assert again.succeeded


def test_a_logger_that_is_turned_on_later_gets_the_trials_before_it(make_sweep: MakeSweep) -> None:
    config = make_sweep(trials=2)
    run_sweep(config)
    assert not (config.folder / "tensorboard").exists()
    grown = config.model_copy(update={"trials": 3, "loggers": ["tensorboard"]})
    assert run_sweep(grown).succeeded
    check_logs(tensorboard_logs(config.folder), check_study(grown, 3))


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_drivers_killed_at_random_double_no_point(tmp_path: Path, tracking_uri: str) -> None:
    import ray

    log = tmp_path / "log"
    config = scripted_sweep(
        sweeps_dir=tmp_path / "sweeps",
        tracking_uri=tracking_uri,
        trials=10,
        concurrency=2,
        pruner="median",
        settings={"log": str(log), "epoch_s": 0.3},
        loggers=["tensorboard", "wandb"],
    )
    config.save()
    moments = random.Random(SEED)
    environment = {**FOR_WORKERS, "WANDB_MODE": "offline"}
    cluster = str(ray.get_runtime_context().gcs_address)
    resume = ["resume_sweep.py", config.name, "--sweeps-dir", config.sweeps_dir, "--ray-address", cluster]
    for _ in range(KILLS):
        before = len(log_lines(log))
        with Script(*resume, cwd=tmp_path, **environment) as driver:
            driver.until(lambda before=before: len(log_lines(log)) > before)  # type: ignore[misc]
            time.sleep(moments.uniform(0.0, 1.5))
            driver.kill()
            driver.wait_for_descendants()
    with Script(*resume, cwd=tmp_path, **environment) as driver:
        assert driver.wait() == 0, driver.stderr
        assert f"tensorboard --logdir {config.folder}{os.sep}tensorboard" in driver.stdout
        assert f"wandb sync {config.folder}{os.sep}wandb/offline-run-*" in driver.stdout
        driver.wait_for_descendants()
    records = check_study(config, 10)
    check_view(config)
    check_logs(tensorboard_logs(config.folder), records)
    check_logs(wandb_offline_logs(config.folder), records)
