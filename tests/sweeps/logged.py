"""What loggers have written, read from their files and servers point by point."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams import metadata

from search.study.records import TrialRecord

_BLOCK, _HEADER = 32768, 7  # of W&B's files, which are LevelDB's logs behind a header of their own


@dataclass
class Log:
    """The log of one trial: its points in the order of their writing, and what is said of its end."""

    points: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    end: str = ""


def of_record(record: TrialRecord) -> list[tuple[int, dict[str, float]]]:
    """The points that a trial's log has to have: those of each epoch come after its steps'."""
    points: list[tuple[int, dict[str, float]]] = []
    for epoch in record.epochs:
        for step in sorted({step for each in epoch.steps.values() for step, _ in each}):
            names = {name: dict(each) for name, each in epoch.steps.items()}
            points.append((step, {name: each[step] for name, each in names.items() if step in each}))
        points.append((epoch.epoch, dict(epoch.metrics)))
    return points


def tensorboard_logs(folder: Path) -> dict[int, Log]:
    """The event files of a sweep's folder, by trial: one of each, and no other file."""
    logs = {}
    for trial in (folder / "tensorboard").glob("trial-*"):
        (file,) = trial.iterdir()
        logs[int(trial.name.removeprefix("trial-"))] = log = Log()
        for raw in RawEventFileLoader(str(file)).Load():
            event = Event.FromString(raw)
            values = {value.tag: round(value.simple_value, 6) for value in event.summary.value}
            if metadata.SESSION_END_INFO_TAG in values:
                about = event.summary.value[0].metadata.plugin_data.content
                log.end = str(metadata.parse_session_end_info_plugin_data(about).status)
            elif values and metadata.SESSION_START_INFO_TAG not in values:
                log.points.append((event.step, values))
    return logs


def wandb_offline_logs(folder: Path) -> dict[int, Log]:
    """W&B's offline folders of a sweep's folder, by trial: one of each."""
    logs: dict[int, Log] = {}
    for run in (folder / "wandb").glob("offline-run-*"):
        number = int(run.name.rpartition("-")[2])
        assert number not in logs, "a second folder of the trial"
        logs[number] = log = Log()
        (file,) = run.glob("*.wandb")
        for kind, items in _wandb_records(file.read_bytes()):
            if kind == "history":
                log.points.append(_point(items, len(log.points)))
            elif "state" in items:
                log.end = items["state"]
    return logs


def wandb_online_logs(history: dict[str, list[str]], summary: dict[str, dict[str, Any]]) -> dict[int, Log]:
    """The runs of a server, by trial."""
    logs = {}
    for run, lines in history.items():
        rows = [json.loads(line) for line in lines]
        points = [_point(row, count) for count, row in enumerate(rows)]
        logs[int(run.rpartition("-")[2])] = Log(points, summary.get(run, {}).get("state", ""))
    return logs


def _point(row: dict[str, Any], before: int) -> tuple[int, dict[str, float]]:
    """A row of W&B's, which counts them, at its step or epoch."""
    assert row.pop("_step") == before + 1
    place = row.pop("step") if "step" in row else row.pop("epoch")
    return place, {name: value for name, value in row.items() if not name.startswith("_")}


def _wandb_records(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    from wandb.proto import wandb_internal_pb2

    place, part = _HEADER, b""
    while place + _HEADER <= len(data):
        if (left := _BLOCK - place % _BLOCK) < _HEADER:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + _HEADER])
        place += _HEADER + length
        part += data[place - length : place]
        if kind in (1, 4):  # whole, or the last part
            told = wandb_internal_pb2.Record.FromString(part)
            part = b""
            if told.WhichOneof("record_type") == "history":
                yield "history", _items(told.history.item)
            elif told.WhichOneof("record_type") == "summary":
                yield "summary", _items(told.summary.update)


def _items(items: Any) -> dict[str, Any]:
    return {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}
