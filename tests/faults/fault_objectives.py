"""Scripted training with faults of its own; travels to the workers by value, so that any Ray can run it.

Each names its trials in a setting, by number as text.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
import scripted

from search.objective.context import TrialContext


class _Interfering:
    """A context whose reports something else is done to first."""

    def __init__(self, context: TrialContext, before_report: Callable[[int], None]) -> None:
        self._context = context
        self._before_report = before_report

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def report(self, epoch: int, metrics: Mapping[str, float], checkpoint: Path | None = None) -> None:
        self._before_report(epoch)
        self._context.report(epoch, metrics, checkpoint)


def hang(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `hang`: `once` hangs in epoch 2 unless it goes on from a checkpoint, `always` ever again."""
    how = context.settings["hang"].get(str(context.number))

    def maybe_hang(epoch: int) -> None:
        if epoch == 2 and (how == "always" or (how == "once" and context.checkpoint is None)):
            time.sleep(3600)

    scripted.learn(params, _Interfering(context, maybe_hang))


def linger(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `clean_s`: seconds that the clean-up of a trial takes; its end is marked in folder `marks`."""
    seconds = context.settings["clean_s"]
    try:
        scripted.learn(params, context)
    finally:
        time.sleep(seconds.get(str(context.number), seconds.get("others", 0.0)))
        Path(context.settings["marks"], f"cleaned-{context.number}").touch()


def stuck(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `stuck`: hangs in its second epoch, or in its clean-up, or swallows the stop and hangs."""
    how = context.settings["stuck"]
    begun = Path(context.settings["marks"], f"stuck-{context.number}")
    try:
        for epoch in range(1, context.max_epochs + 1):
            if how == "epoch" and epoch == 2:
                begun.touch()
                time.sleep(3600)
            try:
                context.report(epoch, {"val_acc": 0.1})
            except SystemExit:
                if how == "clean-up":
                    raise
            if how == "swallow" and epoch == context.max_epochs:
                begun.touch()
                time.sleep(3600)
    finally:
        if how == "clean-up":
            begun.touch()
            time.sleep(3600)


def kill_driver(params: Mapping[str, Any], context: TrialContext) -> None:
    """Trial 0 kills the driver, whose process id is in the file of setting `driver`, in its first epoch."""
    if context.number == 0:
        os.kill(int(Path(context.settings["driver"]).read_text()), signal.SIGKILL)
        time.sleep(3600)
    scripted.learn(params, context)


def leave(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `leave`: how trials end of themselves, after an epoch."""
    how = context.settings["leave"].get(str(context.number))
    if how:
        context.report(1, {"val_acc": 0.1})
    if how == "exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "main":
        _thread.interrupt_main()
        time.sleep(1)
    scripted.report_only(params, context)


def damage(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `damage`: in its third epoch a trial damages its checkpoints, then its worker dies, once."""
    how = context.settings["damage"].get(str(context.number))
    stored = Path(context.settings["checkpoints"], f"trial-{context.number:03d}")
    marker = Path(context.settings["marks"], str(context.number))

    def maybe_damage(epoch: int) -> None:
        if how is None or epoch != 3 or marker.exists():
            return
        marker.touch()
        newest, before = stored / "epoch-0002", stored / "epoch-0001"
        if how in ("corrupt", "both"):
            (newest / "epoch").write_text("7")
        if how == "half-written":
            (newest / "manifest.json").unlink()
        if how == "both":
            (before / "manifest.json").write_text("{")
        if how == "away":
            stored.rename(stored.with_name("away"))
            stored.write_text("in the way")
        if how == "unmounted":
            stored.parent.rename(stored.parent.with_name("away"))
            stored.parent.mkdir()
        os.kill(os.getpid(), signal.SIGKILL)

    scripted.learn(params, _Interfering(context, maybe_damage))


def heavy(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `bytes`: of each checkpoint. Setting `die`: workers of these trials die once in epoch 3."""
    (context.scratch / "weights").write_bytes(os.urandom(context.settings["bytes"]))
    marker = Path(context.settings["marks"], str(context.number))

    def maybe_die(epoch: int) -> None:
        if epoch == 3 and context.number in context.settings["die"] and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    scripted.learn(params, _Interfering(context, maybe_die))


def tell_node(params: Mapping[str, Any], context: TrialContext) -> None:
    """Writes down the node of each attempt in the folder of setting `nodes`, then trains."""
    file = Path(context.settings["nodes"], f"{context.number}-{os.getpid()}")
    file.write_text(ray.get_runtime_context().get_node_id())
    scripted.learn(params, context)


class Unspeakable(Exception):
    """An error that cannot be told, nor sent from one process to another."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__()

    def __str__(self) -> str:
        raise AttributeError("no words")


def speak(params: Mapping[str, Any], context: TrialContext) -> None:
    """Setting `speak`: the errors that trials end with, of texts that stores refuse."""
    how = context.settings["speak"].get(str(context.number))
    if how == "surrogate":
        raise OSError(2, "no such file", "/data/caf\udce9/\ud83d.png")
    if how == "nul":
        raise ValueError("bad header: \0\0PNG\x1b[2J")
    if how == "long":
        raise ValueError("begin " + "\udc80 0.1234 " * 1_000_000 + " end")
    if how == "untold":
        raise Unspeakable(1, 2)
    if how == "metric":
        context.report(1, {"val_acc": 0.1, "caf\udce9": 0.1})
    scripted.report_only(params, context)
