"""A study of which reports and charts are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sweep_makers import CONDITIONAL, epoch, open_ledger, prune, started, sweep_config

from search.config.sweep_config import SweepConfig
from search.study.database import opened_storage
from search.study.records import StopReason


def study_of(sweeps_dir: Path, trials: int, **fields: Any) -> SweepConfig:
    """A sweep of which every third trial was pruned, and the seventh failed."""
    config = sweep_config(sweeps_dir, trials=max(1, trials), space=CONDITIONAL, sampler="random", **fields)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        for number in range(trials):
            started(ledger)
            ledger.report(number, epoch(1, 0.3 + number / 1000, worker=f"host:{number % 2}", cpus=2.0))
            if number == 7:
                ledger.fail(number, StopReason.ERROR, "ValueError: <script>alert(1)</script>")
            elif number % 3 == 1:
                prune(ledger, number)
            else:
                ledger.report(number, epoch(2, 0.4 + number / 1000, worker=f"host:{number % 2}"))
                ledger.complete(number)
    return config
