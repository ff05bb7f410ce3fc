"""Observers beside the driver: loggers in threads of their own, and others whose errors end no sweep."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import pytest
from optuna.trial import TrialState
from sweep_makers import record

from search.engine.background import Background
from search.engine.observers import Guarded, Stop
from search.errors import LeaseLost
from search.study.records import TrialRecord


class Logger:
    """Remembers what it has taken; before it takes anything it does what the test says."""

    def __init__(self, before: Callable[[TrialRecord | None], None] = lambda _record: None) -> None:
        self.taken: list[str] = []
        self._before = before

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        self._before(None)
        self.taken.append(f"{len(records)} trials")

    def trial_changed(self, record: TrialRecord) -> None:
        self._before(record)
        self.taken.append(f"{record.number} {record.outcome}")

    def sweep_closed(self) -> None:
        self.taken.append("closed")


def followed(logger: Logger, *records: TrialRecord) -> str | None:
    """What the logger lacks once it was told of these trials, one after another."""
    background = Background("log", logger, check_lease=lambda: None)
    background.sweep_opened([])
    for each in records:
        background.trial_changed(each)
    return background.close(wait_s=30)


def test_it_is_told_everything_in_another_thread() -> None:
    threads = set()
    logger = Logger(before=lambda _: threads.add(threading.current_thread().name))
    assert followed(logger, record(0), record(1, TrialState.RUNNING)) is None
    assert logger.taken == ["0 trials", "0 complete", "1 running", "closed"]
    assert threads == {"log"}


def test_one_that_is_slow_gets_the_newest_state_of_each_trial() -> None:
    may_go_on = threading.Event()
    logger = Logger(before=lambda _: assert_true(may_go_on.wait(30)))
    background = Background("log", logger, check_lease=lambda: None)
    background.sweep_opened([])
    for _ in range(100):
        background.trial_changed(record(0, TrialState.RUNNING))
    background.trial_changed(record(0))
    may_go_on.set()
    assert background.close(wait_s=30) is None
    assert logger.taken == ["0 trials", "0 complete", "closed"]


def test_what_it_could_not_take_it_is_told_again_once_it_takes_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    full = [True]

    def write(told: TrialRecord | None) -> None:
        if told is not None and full[0]:
            full[0] = told.number == 0
            raise OSError(28, "No space left on device")

    logger = Logger(before=write)
    assert followed(logger, record(0), record(1), record(2)) is None
    assert logger.taken[0] == "0 trials"
    assert set(logger.taken[1:-1]) == {"0 complete", "1 complete", "2 complete"}
    (told,) = [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]
    assert told == (
        "log: OSError: [Errno 28] No space left on device; the sweep continues, and it is told again"
    )


def test_what_it_never_takes_is_told_at_the_end_with_the_line_of_its_code() -> None:
    def fail(told: TrialRecord | None) -> None:
        if told is not None and told.number == 1:
            raise KeyError("loss")

    logger = Logger(before=fail)
    missing = followed(logger, record(0), record(1), record(2)) or ""
    assert missing.startswith("log lacks changes of 1 trials: KeyError: 'loss' (")
    assert missing.endswith(", in fail)")
    assert logger.taken == ["0 trials", "0 complete", "2 complete", "closed"]


def test_until_it_has_opened_it_is_told_of_the_sweep_as_it_stands() -> None:
    failures = [OSError("no"), OSError("no")]

    def open_late(_told: TrialRecord | None) -> None:
        if failures:
            raise failures.pop()

    logger = Logger(before=open_late)
    assert followed(logger, record(0), record(1)) is None
    assert logger.taken[0] in ("1 trials", "2 trials")
    assert logger.taken[0] == "2 trials" or "1 complete" in logger.taken


def test_one_that_never_opens_is_told_of() -> None:
    def fail(_told: TrialRecord | None) -> None:
        raise OSError("no")

    logger = Logger(before=fail)
    assert followed(logger) == "log is not up to date: OSError: no"
    assert logger.taken == ["closed"]


def test_one_that_is_too_slow_is_not_waited_for() -> None:
    may_go_on = threading.Event()
    background = Background("log", Logger(before=lambda _: assert_true(may_go_on.wait(30))), lambda: None)
    background.sweep_opened([])
    background.trial_changed(record(0))
    assert background.close(wait_s=0.01) == "log lacks changes of 1 trials: it took longer than 0 s"
    may_go_on.set()


def test_a_sweep_that_is_another_drivers_is_not_told_any_more(caplog: pytest.LogCaptureFixture) -> None:
    held = [True]

    def check_lease() -> None:
        if not held[0]:
            raise LeaseLost("another driver")

    logger = Logger()
    background = Background("log", logger, check_lease)
    background.sweep_opened([])
    background.end()
    background.abandon()
    assert logger.taken in (["0 trials", "closed"], ["closed"])
    held[0] = False
    late = Logger()
    background = Background("log", late, check_lease)
    background.sweep_opened([])
    background.trial_changed(record(0))
    assert background.close(wait_s=30) is not None
    assert late.taken == ["closed"]
    assert not caplog.records, "the driver finds out by itself"


def test_an_observer_that_raises_is_told_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(Logger):
        def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
            self.taken.append(f"{reason.value} {grace_s}")

    def fail(told: TrialRecord | None) -> None:
        if told is not None and told.number == 1:
            raise KeyError("loss")

    breaks = Breaks(before=fail)
    guarded = Guarded(breaks)
    guarded.sweep_opened([])
    guarded.stop_requested(Stop.INTERRUPTED, 2.0)
    for number in range(3):
        guarded.trial_changed(record(number))
    assert breaks.taken == ["0 trials", "interrupted 2.0", "0 complete"]
    assert "the observer Breaks failed and is told nothing more" in caplog.text
    Guarded(Logger()).stop_requested(Stop.INTERRUPTED, 2.0)  # which does not listen to that


def assert_true(value: bool) -> None:
    assert value
