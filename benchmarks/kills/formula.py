"""What the killed sweeps train: a formula, with a line in a log for each epoch that begins."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from search.objective.context import TrialContext

PARAMETERS: dict[str, BaseDistribution] = {
    "rate": FloatDistribution(0.01, 1.0, log=True),
    "depth": IntDistribution(1, 3),
}


def learn(params: Mapping[str, Any], context: TrialContext) -> None:
    """Report an accuracy epoch by epoch, each with a checkpoint."""
    if context.checkpoint:
        assert (context.checkpoint / "epoch").read_text() == str(context.epochs_done)
    for epoch in range(context.epochs_done + 1, context.max_epochs + 1):
        note_epoch(context.settings["log"], context.number, epoch)
        time.sleep(context.settings["epoch_s"])
        if fails(context.number, epoch):
            raise RuntimeError("this configuration cannot be trained")
        (context.scratch / "epoch").write_text(str(epoch))
        context.report(epoch, {"val_acc": params["rate"] * epoch / params["depth"] / 10}, context.scratch)


def fails(trial: int, epoch: int) -> bool:
    """Whether a trial fails in this epoch: every fifth does in its second."""
    return trial % 5 == 4 and epoch == 2


def note_epoch(log: str, trial: int, epoch: int) -> None:
    """Write down that an epoch begins: one write, whole even if its process is killed."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{trial} {epoch} {time.time()}\n".encode())
    os.close(file)


def begun(log: Path, before: float = math.inf) -> list[tuple[int, int]]:
    """The epochs that began (before a Unix time), as (trial, epoch), in their order."""
    lines = log.read_text().splitlines() if log.exists() else []
    entries = (line.split() for line in lines)
    return [(int(trial), int(epoch)) for trial, epoch, moment in entries if float(moment) < before]
