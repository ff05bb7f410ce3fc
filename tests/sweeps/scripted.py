"""Objectives for tests: metrics follow a formula, and settings say what goes wrong. Workers import this.

The settings that each of them understands, all optional:
    log         a file: a line of JSON is appended as an epoch's training begins
    epoch_s     seconds that an epoch takes
    meet        a folder: a trial's first epoch waits there until so many (`meet_count`) trials are at it
    faults      by trial number, one of `FAULTS`
    mended      a file: once it is there, no fault happens any more
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.objective.context import TrialContext

MEET_S = 60.0
FAULT_EPOCH = 2  # in which every fault happens: one epoch is reported before
FAULTS = ("exception", "memory", "nan", "killed_once", "killed_always")


def accuracy(params: Mapping[str, Any], epoch: int) -> float:
    """A learning curve: shallow ones rise fast and fall back, deep ones cross them, some learn nothing."""
    top = 0.9 * math.exp(-((math.log10(params["rate"]) + 1) ** 2))
    forgotten = 0.04 * max(0, epoch - 3 * params["depth"])
    return round(max(0.05, 0.1 + top * (1 - math.exp(-epoch / params["depth"])) - forgotten), 6)


def learn(params: Mapping[str, Any], context: TrialContext) -> None:
    """Report `accuracy` epoch by epoch, with a checkpoint each, as the settings say."""
    settings = context.settings
    if context.checkpoint:
        assert (context.checkpoint / "epoch").read_text() == str(context.epochs_done)
    for epoch in range(context.epochs_done + 1, context.max_epochs + 1):
        _write_down(context, epoch)
        if epoch == 1 and "meet" in settings:
            _meet(context)
        time.sleep(settings.get("epoch_s", 0.0))
        metrics = {"val_acc": accuracy(params, epoch), "epoch_s": 0.5}
        if epoch == FAULT_EPOCH and not Path(settings.get("mended", "-")).is_file():
            _fail(settings.get("faults", {}).get(str(context.number)), context, metrics)
        (context.scratch / "epoch").write_text(str(epoch))
        context.report(epoch, metrics, context.scratch)


def report_only(params: Mapping[str, Any], context: TrialContext) -> None:
    """Report `accuracy` epoch by epoch, without checkpoints."""
    for epoch in range(1, context.max_epochs + 1):
        context.report(epoch, {"val_acc": accuracy(params, epoch)})


def fall(params: Mapping[str, Any], context: TrialContext) -> None:
    """Report a loss, which is to become small."""
    for epoch in range(1, context.max_epochs + 1):
        context.report(epoch, {"loss": 1 - accuracy(params, epoch)})


def log_lines(file: Path) -> list[dict[str, Any]]:
    """What the trials wrote down, one entry for each epoch whose training began."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _write_down(context: TrialContext, epoch: int) -> None:
    if "log" not in context.settings:
        return
    line = {
        "trial": context.number,
        "epoch": epoch,
        "pid": os.getpid(),
        "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "time": time.time(),
    }
    file = os.open(context.settings["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (json.dumps(line) + "\n").encode())
    os.close(file)


def _meet(context: TrialContext) -> None:
    """Wait until enough trials are here, in groups by number."""
    count = context.settings["meet_count"]
    folder = Path(context.settings["meet"], str(context.number // count))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(context.number)).touch()
    until = time.monotonic() + MEET_S
    while len(list(folder.iterdir())) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"trial {context.number} waited in vain for {count} trials to run at once")
        time.sleep(0.01)


def _fail(fault: str | None, context: TrialContext, metrics: dict[str, float]) -> None:
    if fault == "exception":
        raise RuntimeError("this configuration cannot be trained")
    if fault == "memory":
        raise MemoryError("no room for the activations")
    if fault == "nan":
        metrics["val_acc"] = math.nan
    if fault == "killed_always" or (fault == "killed_once" and context.checkpoint is None):
        os.kill(os.getpid(), signal.SIGKILL)
