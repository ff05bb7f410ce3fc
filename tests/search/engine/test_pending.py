"""What is pending: when a trial is due, and what is kept for the end."""

from __future__ import annotations

import threading

import pytest
from optuna.trial import TrialState
from sweep_makers import record

from search.engine.pending import SWEEP, Pending
from search.study.records import TrialRecord


def running(number: int) -> TrialRecord:
    return record(number, state=TrialState.RUNNING)


def taken(pending: Pending) -> list[int]:
    """The numbers of all that is left, once the end has come."""
    numbers = []
    while (next_one := pending.take()) is not None:
        numbers.append(next_one.number)
    return numbers


def test_a_running_trial_that_is_shown_waits_for_its_next_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("search.engine.pending.time.monotonic", lambda: now)
    pending = Pending()
    pending.change(running(0), gather=True)
    pending.change(running(1), gather=False)
    first = pending.take()
    assert first is not None
    assert first.number == 1, "which is not shown at all"
    now += 1.0
    pending.change(running(0), gather=True)
    second = pending.take()
    assert second is not None
    assert second.number == 0, "due by its first change, however often it changes"


def test_a_trial_that_has_ended_is_due_at_once_with_its_newest_record() -> None:
    pending = Pending()
    pending.change(running(0), gather=True)
    pending.change(record(0), gather=True)
    last = pending.take()
    assert last is not None
    assert last.state is TrialState.COMPLETE


def test_what_was_refused_is_due_once_more_at_the_end() -> None:
    pending = Pending()
    trials = [record(0), record(1)]
    pending.begin(trials)
    assert pending.refuse(0, "not a number")
    assert not pending.refuse(SWEEP, "not a number either"), "the first is told, the others are not"
    for trial in trials:
        pending.is_exact(trial)
    assert pending.behind == 1
    pending.end()
    assert taken(pending) == [0]
    pending.accept(0)
    assert pending.behind == 0
    assert list(pending.refusals) == [SWEEP]


def test_a_trial_that_has_changed_since_it_was_exact_is_due() -> None:
    pending, before = Pending(), running(0)
    pending.begin([before])
    pending.change(record(0), gather=False)
    pending.is_exact(before)
    pending.end()
    assert taken(pending) == [0]


def test_who_waits_is_woken_by_a_change_and_by_the_end() -> None:
    pending, numbers = Pending(), list[int]()
    thread = threading.Thread(target=lambda: numbers.extend(taken(pending)))
    thread.start()
    pending.change(record(3), gather=False)
    pending.change(record(4), gather=False)
    pending.end()
    thread.join(10)
    assert sorted(numbers) == [3, 4]


@pytest.mark.parametrize(
    ("a_trial_s", "at_most_s", "told"),
    [
        (50.0, 1000.0, None),
        (70.0, 1000.0, "it took longer than 60 s"),
        (50.0, 110.0, "it took longer than 110 s"),
    ],
)
def test_who_writes_is_waited_for_as_long_as_trial_after_trial_is_written(
    a_trial_s: float, at_most_s: float, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("search.engine.pending.time.monotonic", lambda: now)
    pending = Pending()
    pending.begin([record(number) for number in range(9)])
    pending.end()

    class Writer(threading.Thread):
        """Takes so long for each trial, and ends after the last."""

        def is_alive(self) -> bool:
            return pending.behind > 0

        def join(self, timeout: float | None = None) -> None:
            nonlocal now
            now += timeout or 0.0
            if (9 - pending.behind + 1) * a_trial_s <= now - 100.0:
                pending.take()

    assert pending.wait_until_written(Writer(), 60.0, at_most_s) == told
