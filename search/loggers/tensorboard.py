"""TensorBoard: a folder for each trial with one event file, which has every epoch once.

Written by TensorBoard's own package, without torch or TensorFlow, which the driver does not load.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from optuna.trial import TrialState
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

from search.config.sweep_config import SweepConfig
from search.loggers.trial_logs import TrialLogs, rows_of
from search.study.records import TrialRecord

FOLDER = "tensorboard"  # in the sweep's own


def tensorboard_logs(config: SweepConfig) -> TrialLogs:
    """The event files of a sweep's trials, below its folder."""
    folder = config.folder / FOLDER
    return TrialLogs(lambda record: EventFile(folder / record.key, record), folder / "whole.txt")


class EventFile:
    """The event file of one trial: its parameters, its metrics by epoch, its end.

    It takes the place of those that are there. They go before it comes: a kill between the two leaves
    nothing, which the next driver makes up for, and never a point twice. A TensorBoard that has read the
    earlier ones is told to forget them.

    Args:
        folder: of the trial.
        record: the trial as it is now.

    Example:
        >>> record = TrialRecord(0, TrialState.RUNNING, {"lr": 0.1})
        >>> EventFile(Path("trial-000"), record).close()
        >>> [file.name.startswith("events.out.tfevents.") for file in Path("trial-000").iterdir()]
        [True]
    """

    def __init__(self, folder: Path, record: TrialRecord) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / "new"
        self._file = new.open("wb")
        self._records = RecordWriter(self._file)
        self._epochs = 0
        try:
            began = record.started_ms / 1000
            self._add(began, file_version="brain.Event:2")
            self._add(began, step=1, session_log=SessionLog(status=SessionLog.START))
            params = {name: _plain(value) for name, value in record.params.items()}
            self._add(began, summary=summary_v2.hparams_pb(params, record.key, began))
            self.write(record)
            for old in folder.glob("events.*"):
                old.unlink()
            new.rename(folder / f"events.out.tfevents.{time.time():.6f}")
        except BaseException:  # of any kind: it is raised on
            self._file.close()
            raise

    def write(self, record: TrialRecord) -> None:
        """Add what it lacks of the trial's epochs."""
        for row in rows_of(record.epochs[self._epochs :]):
            values = [Summary.Value(tag=name, simple_value=value) for name, value in row.metrics.items()]
            self._add(row.timestamp_ms / 1000, step=row.number, summary=Summary(value=values))
        self._file.flush()
        self._epochs = len(record.epochs)

    def end(self, record: TrialRecord) -> None:
        """Say how the trial ended, and close the file."""
        if record.ended_ms is not None:
            failed = record.state is TrialState.FAIL
            status = api_pb2.STATUS_FAILURE if failed else api_pb2.STATUS_SUCCESS
            ended = record.ended_ms / 1000
            info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
            about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
            value = Summary.Value(
                tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR
            )
            self._add(ended, summary=Summary(value=[value]))
        self._file.flush()
        os.fsync(self._file.fileno())  # before it is noted as whole
        self._file.close()

    def close(self) -> None:
        """Close the file; the next driver begins it anew."""
        self._file.close()

    def _add(self, wall_time: float, **what: Any) -> None:
        self._records.write(Event(wall_time=wall_time, **what).SerializeToString())


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
