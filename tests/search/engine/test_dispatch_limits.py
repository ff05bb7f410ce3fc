"""A sweep ends early for a reason: failures, time, an interruption; and in an orderly way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import Drivers, fail, finish, take
from sweep_makers import epoch, sweep_config

from search.engine.dispatch import STOP_GRACE_S, Dispatcher
from search.engine.interrupts import stopped_by_signals
from search.engine.messages import Message
from search.engine.observers import Stop
from search.study.records import Outcome, StopReason, TrialRecord
from search.study.transitions import Decision

PRUNES_ALL = {"pruner": "threshold", "pruner_args": {"lower": 2.0, "n_warmup_steps": 0}}


def end_trials(dispatcher: Dispatcher, outcomes: str) -> str:
    """Run trials one after another, `.` well and `F` failing, until none is handed out; which were."""
    done = ""
    for outcome in outcomes:
        attempt = str(len(done))
        if take(dispatcher, attempt) is None:
            break
        done += outcome
        fail(dispatcher, attempt) if outcome == "F" else finish(dispatcher, attempt, [0.5])
    return done


def too_late_for_another() -> tuple[Drivers, Dispatcher]:
    """A driver with a second left of its time, too little for a third trial; the second one, `b`, runs."""
    drivers = Drivers(sweep_config(trials=9, time_budget=100))
    dispatcher = drivers.start(slots=2)
    take(dispatcher, "a")
    take(dispatcher, "b")
    finish(dispatcher, "a", [0.5, 0.5, 0.5])
    drivers.clock.now = 99
    assert take(dispatcher, "c") is None
    return drivers, dispatcher


def test_a_planned_stop_lets_epochs_end_however_long_they_take() -> None:
    drivers = Drivers(sweep_config(trials=9, time_budget=100))
    dispatcher = drivers.start()
    take(dispatcher, "a")
    drivers.clock.now = 101
    assert take(dispatcher, "b") is None
    assert dispatcher.stop is Stop.TIME_BUDGET
    drivers.clock.now = 10_000
    assert not dispatcher.abandon
    dispatcher.request_stop(Stop.INTERRUPTED)
    assert dispatcher.stop is Stop.INTERRUPTED
    assert not dispatcher.abandon, "a signal's grace begins with the signal"
    drivers.clock.now += STOP_GRACE_S + 1
    assert dispatcher.abandon


def test_a_trial_that_was_told_to_stop_holds_its_slot_until_it_has_left() -> None:
    dispatcher = Drivers(sweep_config(**PRUNES_ALL)).start(slots=1)
    take(dispatcher, "a")
    assert dispatcher.receive("a", Message(epochs=(epoch(1, 0.1),))) is Decision.PRUNE
    assert take(dispatcher, "b") is None
    assert dispatcher.receive("a", Message(left=True)) is Decision.STOP
    dispatcher.ended("a")
    assert take(dispatcher, "b") is not None


def test_a_clean_up_has_a_time_of_its_own_and_costs_the_trial_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drivers = Drivers(sweep_config(trial_timeout=5, cleanup_time=60, max_attempts=1, **PRUNES_ALL))
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1, 0.1),)))
    drivers.clock.now = 59.9
    assert not dispatcher.overdue("a"), "the timeout is for training"
    drivers.clock.now = 60.1
    assert dispatcher.overdue("a")
    dispatcher.lost("a", StopReason.TIMEOUT, "killed")
    assert "trial-000: its clean-up took longer than the 60 s of `cleanup_time`" in caplog.text
    assert [record.state.name for record in dispatcher.records] == ["PRUNED"]
    assert dispatcher.stop is None


def test_a_clean_up_that_fails_is_said_and_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Drivers(sweep_config(**PRUNES_ALL)).start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1, 0.1),)))
    told = Message(left=True, failure=StopReason.ERROR, error="OSError: disk full")
    assert dispatcher.receive("a", told) is Decision.CONTINUE, "its worker raises, for Ray to throw it away"
    dispatcher.lost("a", StopReason.LOST, "the worker raised")
    assert "trial-000: its clean-up failed; a new worker takes over\nOSError: disk full" in caplog.text
    assert [record.state.name for record in dispatcher.records] == ["PRUNED"]
    assert "worker lost" not in caplog.text


def test_an_attempt_that_never_got_its_worker_is_not_counted() -> None:
    dispatcher = Drivers(sweep_config(max_attempts=1)).start(slots=1)
    dispatcher.next("a")
    dispatcher.returned("a")
    given = take(dispatcher, "b")
    assert given is not None
    assert (given.number, dispatcher.records[0].times_lost) == (0, 0)


def test_an_interrupt_of_the_objectives_own_is_its_error() -> None:
    dispatcher = Drivers().start(slots=1)
    take(dispatcher, "a")
    dispatcher.interrupted("a")
    [record] = dispatcher.records
    assert (record.state.name, record.stop_reason) == ("FAIL", StopReason.ERROR)


@pytest.mark.parametrize(
    ("outcomes", "run"),
    [
        ("FFF...", "FFF"),
        ("FF.F..", "FF.F.."),
        ("FF.FF....", "FF.FF...."),  # five trials are too few for a share
        ("FF.FFF...", "FF.FFF"),
        (".F.F.F.F.F.F", ".F.F.F.F.F.F"),  # half of them is not more than half
        (".F.F.F.FF.F", ".F.F.F.FF"),
    ],
)
def test_too_many_failures_stop_the_sweep(outcomes: str, run: str) -> None:
    dispatcher = Drivers(sweep_config(trials=20, max_failed_share=0.5)).start(slots=1)
    assert end_trials(dispatcher, outcomes) == run
    assert dispatcher.stop == (None if run == outcomes else Stop.FAILURES)


def test_the_first_failure_and_what_stops_the_sweep_are_told_with_their_causes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dispatcher = Drivers(sweep_config(trials=20)).start(slots=1)
    raised = 'Traceback:\n  File "mine.py", line 3, in train\n    open()\nValueError: no images'
    for attempt, error in enumerate([raised, "KeyError: 'lr'", "ValueError: no images"]):
        dispatcher.next(str(attempt))
        dispatcher.receive(str(attempt), Message(failure=StopReason.ERROR, error=error))
        dispatcher.lost(str(attempt), StopReason.LOST, "discarded")
    assert dispatcher.stop is Stop.FAILURES
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == [
        "trial-000 failed (error): ValueError: no images (mine.py, line 3, in train)",
        "3 of 3 trials failed: no more are started",
        "trial-000 and 1 more failed (error): ValueError: no images",
        "trial-001 failed (error): KeyError: 'lr'",
    ]


def test_the_share_of_failures_can_be_chosen() -> None:
    dispatcher = Drivers(sweep_config(trials=20, max_failed_share=0.1)).start(slots=1)
    assert end_trials(dispatcher, "...........F.......") == "...........F......."
    assert dispatcher.stop is None
    strict = Drivers(sweep_config(trials=20, max_failed_share=0.1)).start(slots=1)
    assert end_trials(strict, ".....F....") == ".....F"


def test_lost_trials_that_fail_count_as_failures() -> None:
    dispatcher = Drivers(sweep_config(trials=9, max_attempts=1)).start(slots=1)
    for attempt in "abc":
        take(dispatcher, attempt)
        dispatcher.lost(attempt, StopReason.LOST, "gone")
    assert dispatcher.stop is Stop.FAILURES


def test_trials_that_diverge_are_results_and_no_failures() -> None:
    dispatcher = Drivers(sweep_config(trials=8)).start(slots=1)
    for attempt in "abcdefgh":
        dispatcher.next(attempt)
        told = Message(failure=StopReason.DIVERGED, error="val_acc is nan in epoch 1")
        assert dispatcher.receive(attempt, told) is Decision.STOP, "the worker goes on to the next trial"
        dispatcher.ended(attempt)
    assert dispatcher.stop is None
    assert dispatcher.done
    assert {record.outcome for record in dispatcher.records} == {Outcome.DIVERGED}


def test_an_objective_that_reports_nothing_is_a_fault_and_counts() -> None:
    dispatcher = Drivers(sweep_config(trials=9)).start(slots=1)
    for attempt in "abc":
        dispatcher.next(attempt)
        assert dispatcher.receive(attempt, Message(finished=True)) is Decision.STOP
        dispatcher.ended(attempt)
    assert [record.state.name for record in dispatcher.records] == ["FAIL"] * 3
    assert dispatcher.stop is Stop.FAILURES


@pytest.mark.parametrize(("first_failures", "run"), [(0, "FFFFFFFF"), (1, "F"), (5, "FFFFF")])
def test_how_many_first_failures_stop_a_sweep_can_be_chosen(first_failures: int, run: str) -> None:
    config = sweep_config(trials=8, first_failures=first_failures, max_failed_share=1.0)
    assert end_trials(Drivers(config).start(slots=1), "FFFFFFFF") == run


def test_when_the_share_begins_to_mean_something_can_be_chosen() -> None:
    config = sweep_config(trials=9, share_after=2)
    assert end_trials(Drivers(config).start(slots=1), ".FF......") == ".FF"


def test_a_resume_after_failures_gets_a_fresh_chance() -> None:
    drivers = Drivers(sweep_config(trials=20))
    assert end_trials(drivers.start(slots=1), "FFF") == "FFF"
    assert end_trials(drivers.start(slots=1), ".F.") == ".F."


def test_running_trials_stop_after_their_epoch_when_too_many_failed() -> None:
    dispatcher = Drivers(sweep_config(trials=9)).start(slots=4)
    for attempt in "abcd":
        take(dispatcher, attempt)
    for attempt in "abc":
        fail(dispatcher, attempt)
    assert not dispatcher.done
    assert dispatcher.receive("d", Message(epochs=(epoch(1),))) is Decision.STOP
    dispatcher.ended("d")
    assert dispatcher.done
    assert [r.state.name for r in dispatcher.records] == ["FAIL", "FAIL", "FAIL", "RUNNING"]


def test_no_trial_is_started_that_would_not_fit_the_time_left() -> None:
    drivers = Drivers(sweep_config(trials=9, time_budget=100))
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    finish(dispatcher, "a", [0.5, 0.5, 0.5])  # six seconds of training
    drivers.clock.now = 93.9
    assert take(dispatcher, "b") is not None
    finish(dispatcher, "b", [0.5, 0.5, 0.5])
    drivers.clock.now = 94.1
    assert take(dispatcher, "c") is None
    assert dispatcher.stop is Stop.TIME_BUDGET
    assert dispatcher.done


def test_what_runs_goes_on_until_the_time_is_up_and_then_ends_with_its_epoch() -> None:
    drivers, dispatcher = too_late_for_another()
    assert dispatcher.receive("b", Message(epochs=(epoch(1),))) is Decision.CONTINUE
    assert not dispatcher.done
    drivers.clock.now = 101
    assert dispatcher.receive("b", Message(epochs=(epoch(2),))) is Decision.STOP
    dispatcher.ended("b")
    assert dispatcher.done
    assert dispatcher.stop is Stop.TIME_BUDGET
    assert len(dispatcher.records[1].epochs) == 2, "the epoch that was finished is kept"


@pytest.mark.parametrize("limits", [{"core_hours": 23 / 3600}, {"core_hours": 38 / 3600, "finish": True}])
def test_a_sweep_ends_once_it_has_taken_its_core_hours_over_all_launches(limits: dict[str, Any]) -> None:
    """Epochs of two seconds on four cores: the third reaches 22 core-seconds, in the second launch."""
    drivers = Drivers(sweep_config(trials=9, pruner="none", **limits))
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    for number in (1, 2):
        assert dispatcher.receive("a", Message(epochs=(epoch(number, cpus=4.0),))) is Decision.CONTINUE
    again = drivers.start(slots=1)
    take(again, "b")
    assert again.receive("b", Message(epochs=(epoch(3, cpus=4.0),))) is not Decision.CONTINUE
    again.ended("b")
    assert take(again, "c") is None
    assert again.stop is Stop.HOURS
    assert again.done


@pytest.mark.parametrize(("limit", "used"), [("gpu_hours", {"gpus": 0.5}), ("core_hours", {"cpus": 0.5})])
def test_hours_are_of_what_each_trial_had(limit: str, used: dict[str, float]) -> None:
    drivers = Drivers(sweep_config(trials=9, pruner="none", **{limit: 1.9 / 3600}))
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    had = {"cpus": 0.0, **used}
    assert dispatcher.receive("a", Message(epochs=(epoch(1, **had),))) is Decision.CONTINUE
    assert dispatcher.receive("a", Message(epochs=(epoch(2, **had),))) is Decision.STOP
    assert dispatcher.stop is Stop.HOURS


def test_a_sweep_ends_when_another_hour_is_worth_too_little() -> None:
    """At a trial's end, and in the next launch at once; without the rule it goes on."""
    drivers = Drivers(sweep_config(trials=99, pruner="none", max_epochs=1, stop_when="0.5/h"))
    dispatcher, trials = drivers.start(slots=1), 0
    while take(dispatcher, f"{trials}") is not None:
        last = epoch(1, min(0.9, 0.1 * trials), timestamp_ms=2000 * (trials + 1))
        dispatcher.receive(f"{trials}", Message(epochs=(last,)))
        dispatcher.receive(f"{trials}", Message(finished=True))
        dispatcher.ended(f"{trials}")
        trials += 1
    assert dispatcher.stop is Stop.WORTHLESS
    assert 9 < trials < 99, "while it rose, it went on"
    assert take(drivers.start(slots=1), "again") is None


def test_with_nothing_known_of_how_long_a_trial_takes_one_is_started() -> None:
    drivers = Drivers(sweep_config(time_budget=1))
    dispatcher = drivers.start()
    drivers.clock.now = 0.9
    assert take(dispatcher, "a") is not None
    drivers.clock.now = 1.0
    assert take(dispatcher, "b") is None
    assert dispatcher.stop is Stop.TIME_BUDGET


def test_what_trials_took_is_known_from_earlier_drivers_too() -> None:
    drivers = Drivers(sweep_config(trials=9))
    first = drivers.start(slots=1)
    take(first, "a")
    finish(first, "a", [0.5, 0.5, 0.5])
    assert take(drivers.start(time_budget=5), "a") is None
    assert take(drivers.start(time_budget=7), "a") is not None


def test_a_lost_trial_is_started_again_though_no_new_one_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.engine.waiting.FIRST_PAUSE_S", 0.5)
    drivers, dispatcher = too_late_for_another()
    dispatcher.lost("b", StopReason.LOST, "gone")
    assert not dispatcher.done
    drivers.clock.now += 0.6
    assert take(dispatcher, "d") is not None


def test_a_sweep_that_used_its_trials_up_in_time_was_not_stopped() -> None:
    drivers = Drivers(sweep_config(trials=1, time_budget=100))
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    finish(dispatcher, "a", [0.5])
    drivers.clock.now = 99.9
    assert take(dispatcher, "b") is None
    assert dispatcher.stop is None


def test_an_interruption_ends_each_trial_with_its_epoch_and_starts_no_other() -> None:
    dispatcher = Drivers().start(slots=3)
    take(dispatcher, "a")
    take(dispatcher, "b")
    dispatcher.request_stop(Stop.INTERRUPTED)
    assert take(dispatcher, "c") is None
    assert dispatcher.receive("a", Message(epochs=(epoch(1),))) is Decision.STOP
    dispatcher.ended("a")
    assert not dispatcher.done
    dispatcher.receive("b", Message(epochs=(epoch(1), epoch(2), epoch(3))))
    dispatcher.ended("b")
    assert dispatcher.done


def test_a_trial_that_ends_during_an_interruption_has_ended() -> None:
    dispatcher = Drivers().start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1),)))
    dispatcher.request_stop(Stop.INTERRUPTED)
    dispatcher.receive("a", Message(finished=True))
    assert dispatcher.records[0].state.name == "COMPLETE"


def test_what_does_not_end_within_the_grace_is_abandoned() -> None:
    drivers = Drivers()
    dispatcher = drivers.start()
    take(dispatcher, "a")
    drivers.clock.now = 1000
    assert not dispatcher.abandon
    dispatcher.request_stop(Stop.INTERRUPTED)
    drivers.clock.now += STOP_GRACE_S - 0.1
    assert not dispatcher.abandon
    dispatcher.request_stop(Stop.INTERRUPTED)  # asking again buys no more time
    drivers.clock.now += 0.2
    assert dispatcher.abandon


def test_the_first_reason_to_stop_is_the_one_that_is_told() -> None:
    dispatcher = Drivers().start()
    dispatcher.request_stop(Stop.INTERRUPTED)
    dispatcher.request_stop(Stop.FAILURES)
    assert dispatcher.stop is Stop.INTERRUPTED


def test_an_attempt_that_says_nothing_for_too_long_is_overdue() -> None:
    drivers = Drivers(sweep_config(trial_timeout=60))
    dispatcher = drivers.start()
    dispatcher.next("a")
    drivers.clock.now = 1000
    dispatcher.started("a")
    assert not dispatcher.overdue("a"), "time runs from when a worker takes it"
    drivers.clock.now += 50
    dispatcher.receive("a", Message(epochs=(epoch(1),)))
    drivers.clock.now += 59
    assert not dispatcher.overdue("a")
    drivers.clock.now += 2
    assert dispatcher.overdue("a")
    dispatcher.lost("a", StopReason.TIMEOUT, "silent")
    take(dispatcher, "b")
    assert not dispatcher.overdue("b")


def test_without_a_timeout_a_trial_may_be_silent_for_ever() -> None:
    drivers = Drivers()
    dispatcher = drivers.start()
    take(dispatcher, "a")
    assert not dispatcher.overdue("a")
    drivers.clock.now = 1e9
    assert not dispatcher.overdue("a")


def test_a_first_signal_asks_although_the_time_is_too_short_for_another_trial() -> None:
    _, dispatcher = too_late_for_another()
    with stopped_by_signals(dispatcher):
        os.kill(os.getpid(), signal.SIGTERM)
        assert not dispatcher.abandon, "what runs gets its grace"
        assert dispatcher.receive("b", Message(epochs=(epoch(1),))) is Decision.STOP
    assert dispatcher.stop is Stop.INTERRUPTED
    assert len(dispatcher.records[1].epochs) == 1


class Hears:
    """An observer that hears of stops too."""

    def __init__(self) -> None:
        self.stops: list[tuple[Stop, float | None]] = []

    def sweep_opened(self, records: Sequence[TrialRecord]) -> None:
        """Nothing is to be seen."""

    def trial_changed(self, record: TrialRecord) -> None:
        """Nothing is to be seen."""

    def stop_requested(self, reason: Stop, grace_s: float | None) -> None:
        self.stops.append((reason, grace_s))


def test_a_stop_is_told_once_with_the_time_that_it_gives() -> None:
    dispatcher = Drivers().start(observers=[hears := Hears()])
    for reason in (Stop.TIME_BUDGET, Stop.FAILURES, Stop.INTERRUPTED, Stop.INTERRUPTED):
        dispatcher.request_stop(reason)
    assert hears.stops == [(Stop.TIME_BUDGET, None), (Stop.INTERRUPTED, STOP_GRACE_S)]


def test_a_second_signal_does_not_wait() -> None:
    dispatcher = Drivers(sweep_config(trials=9)).start(slots=1)
    take(dispatcher, "a")
    before, waited = (
        signal.getsignal(signal.SIGINT),
        False,
    )  # ignored where a shell has started the tests with &
    with stopped_by_signals(dispatcher):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        waited = True
    assert not waited
    assert dispatcher.stop is Stop.INTERRUPTED
    assert signal.getsignal(signal.SIGINT) is before


def test_a_main_thread_that_does_not_come_back_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.engine.interrupts.STOP_GRACE_S", 0.1)
    monkeypatch.setattr("search.engine.interrupts._AFTER_GRACE_S", 0.1)
    dispatcher = Drivers().start()
    came_back = False
    with stopped_by_signals(dispatcher):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
        came_back = True
    assert not came_back
    assert dispatcher.stop is Stop.INTERRUPTED


HANGS = """
import sqlite3, sys
from unittest.mock import Mock
import search.engine.ending, search.engine.interrupts
from search.engine.interrupts import stopped_by_signals
search.engine.interrupts._AFTER_GRACE_S = search.engine.ending.AT_ONCE_S = 0.2
search.engine.interrupts.STOP_GRACE_S = 1.0  # time to come to the point where it hangs, on a busy machine too
holder = sqlite3.connect(sys.argv[1], isolation_level=None)
holder.execute("BEGIN IMMEDIATE")
locked = sqlite3.connect(sys.argv[1], timeout=60)
with stopped_by_signals(Mock()):
    print("locked", flush=True)
    locked.execute("BEGIN IMMEDIATE")  # in C, deaf to signals
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_main_thread_that_cannot_be_interrupted_ends_with_its_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-c", HANGS, str(tmp_path / "study.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        process.send_signal(number)
        assert process.wait(20) == 130
