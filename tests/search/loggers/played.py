"""A sweep's changes played to a logger, in a process that can be killed at any line of the loggers' code.

    python played.py LOGGER FOLDER [LINE]

Before each change is told it is written down, as the study knows of a change before a logger does: played
again, the sweep opens as it stood then, and goes on.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from optuna.trial import TrialState
from sweep_makers import epoch, record, sweep_config

from search.config.sweep_config import SweepConfig
from search.loggers import making
from search.loggers.making import make_loggers
from search.study.hand_outs import HandOut
from search.study.records import Epoch, StopReason, TrialRecord

SWEEP_ID = "0a1b"
CODE = str(Path(making.__file__).parent)


def _epoch(number: int, position: int) -> Epoch:
    """Trial 2 tells of steps too, one of which has two metrics."""
    ends = [(10 * position, 0.5), (10 * position + 5, 0.25)]
    steps = {"loss_step": ends, "lr_step": ends[1:]} if number == 2 else {}
    return epoch(position, round(0.1 * number + position / 100, 3), steps=steps)


def _running(number: int, epochs: int, *until: int | None, **fields: Any) -> TrialRecord:
    trained = tuple(_epoch(number, position) for position in range(1, epochs + 1))
    outs = tuple(HandOut(to, cost=1, reports=0, why="new") for to in until)
    kept = {"state": TrialState.RUNNING, "ended_ms": None, "hand_outs": outs, **fields}
    return record(number, epochs=trained, **kept)


def _ended(number: int, epochs: int, state: TrialState, *until: int | None, **fields: Any) -> TrialRecord:
    return _running(number, epochs, *until, state=state, ended_ms=9000 + number, **fields)


CHANGES = [
    _running(0, 0),
    _running(1, 0),
    _running(0, 1),
    _running(1, 1),
    _running(2, 0, 1),
    _ended(1, 1, TrialState.PRUNED, stop_reason=StopReason.PRUNED),
    _running(2, 1, 1),  # frozen
    _running(3, 0),
    _running(0, 2),
    _running(2, 1, 1, None),  # thawed
    _ended(3, 0, TrialState.FAIL, stop_reason=StopReason.ERROR, error="OSError: no such file"),
    _running(0, 3),
    _running(2, 2, 1, None),
    _ended(0, 3, TrialState.COMPLETE, stop_reason=StopReason.FINISHED, value=0.03),
    _running(4, 0),
    _running(2, 3, 1, None),
    _running(4, 2),
    _ended(2, 3, TrialState.COMPLETE, 1, None, stop_reason=StopReason.FINISHED, value=0.23),
    _running(5, 0, 2),
    _running(5, 2, 2),  # is frozen to the end
]


def after(changes: int) -> list[TrialRecord]:
    """The trials as they stand after so many changes."""
    return list({change.number: change for change in CHANGES[:changes]}.values())


def sweep(folder: Path, logger: str) -> SweepConfig:
    return sweep_config(folder, name="night", loggers=[logger])


def play(logger_name: str, folder: Path) -> None:
    told = folder / "told"
    begun = len(told.read_text().splitlines()) if told.exists() else 0
    ((_, logger),) = make_loggers(sweep(folder, logger_name), SWEEP_ID).items()
    logger.sweep_opened(after(begun))
    for change in CHANGES[begun:]:
        with told.open("a") as file:
            file.write("told\n")
        logger.trial_changed(change)
    logger.sweep_closed()


def main(logger: str, folder: str, kill_at: int) -> None:
    lines = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(CODE):
            return None
        if event == "line":
            lines += 1
            if lines == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    play(logger, Path(folder))
    sys.settrace(None)
    print(lines)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
