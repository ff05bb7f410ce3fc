"""One queue hands trials out, whoever left them: what is asked, adopted, told, kept and dropped."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from fake_cluster import Drivers, fail, finish, take
from optuna.trial import TrialState
from sweep_makers import epoch, open_ledger, sweep_config

from search.engine.dispatch import Dispatcher
from search.engine.messages import Message
from search.engine.observers import Stop
from search.engine.waiting import ALONE_FROM, MOST_DRIVERS
from search.study.records import StopReason
from search.study.transitions import Decision

PRUNES_BELOW_HALF = {"pruner": "threshold", "pruner_args": {"lower": 0.5, "n_warmup_steps": 0}}


def handed_out(dispatcher: Dispatcher, *attempts: str) -> list[int | None]:
    """The trial that each of these attempts gets."""
    return [(given := take(dispatcher, attempt)) and given.number for attempt in attempts]


def states(dispatcher: Dispatcher) -> list[str]:
    """The state of every trial, in order."""
    return [record.state.name for record in dispatcher.records]


def test_trials_are_handed_out_while_there_are_slots_and_budget() -> None:
    dispatcher = Drivers().start(slots=2)
    assert handed_out(dispatcher, "a", "b", "c") == [0, 1, None]
    finish(dispatcher, "a", [0.5])
    assert handed_out(dispatcher, "d", "e") == [2, None]
    finish(dispatcher, "b", [0.5])
    finish(dispatcher, "d", [0.5])
    assert handed_out(dispatcher, "f", "g") == [3, None]
    assert not dispatcher.done
    finish(dispatcher, "f", [0.5])
    assert dispatcher.done
    assert dispatcher.stop is None
    assert handed_out(dispatcher, "h") == [None]


def test_slots_are_counted_each_time_for_a_cluster_grows() -> None:
    there = [1, 3]
    dispatcher = Drivers().start(slots=lambda: there[0])
    assert handed_out(dispatcher, "a", "b") == [0, None]
    there.pop(0)
    assert handed_out(dispatcher, "b", "c", "d") == [1, 2, None]


def test_an_assignment_is_all_that_a_worker_needs() -> None:
    drivers = Drivers(sweep_config(seed=100))
    dispatcher = drivers.start()
    take(dispatcher, "a")
    given = take(dispatcher, "b")
    assert given is not None
    assert (given.number, given.seed, given.epochs_known) == (1, 101, 0)
    assert given.params == {**dispatcher.records[1].params, "optimizer": "sgd"}


def test_what_a_killed_driver_left_comes_first() -> None:
    drivers = Drivers()
    killed = drivers.start(slots=3)
    assert handed_out(killed, "a", "b", "c") == [0, 1, 2]
    finish(killed, "b", [0.5])
    killed.receive("c", Message(epochs=(epoch(1),)))
    resumed = drivers.start(slots=3)
    given = [take(resumed, attempt) for attempt in "abc"]
    assert [g and (g.number, g.epochs_known) for g in given] == [(0, 0), (2, 1), (3, 0)]
    assert [g and g.params for g in given[:2]] == [
        drivers.config.configuration(r.params) for r in killed.records
    ][::2]


def test_a_sweep_that_was_done_is_done() -> None:
    drivers = Drivers(sweep_config(trials=1))
    first = drivers.start()
    take(first, "a")
    finish(first, "a", [0.5])
    resumed = drivers.start()
    assert resumed.done
    assert handed_out(drivers.start(trials=2), "a") == [1]


def test_a_pruned_trial_stops_at_that_epoch() -> None:
    dispatcher = Drivers(sweep_config(**PRUNES_BELOW_HALF)).start()
    take(dispatcher, "a")
    assert dispatcher.receive("a", Message(epochs=(epoch(1, 0.6),))) is Decision.CONTINUE
    assert dispatcher.receive("a", Message(epochs=(epoch(2, 0.4),))) is Decision.PRUNE
    dispatcher.ended("a")
    [pruned] = dispatcher.records
    assert (pruned.state, pruned.stop_reason, len(pruned.epochs)) == (TrialState.PRUNED, StopReason.PRUNED, 2)


def test_a_failing_trial_is_fail_with_its_reason_and_the_sweep_goes_on() -> None:
    dispatcher = Drivers().start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(failure=StopReason.OOM, error="too wide"))
    dispatcher.lost("a", StopReason.LOST, "the worker raised")
    [failed] = dispatcher.records
    assert (failed.state, failed.stop_reason, failed.error) == (TrialState.FAIL, StopReason.OOM, "too wide")
    assert handed_out(dispatcher, "b") == [1]


def test_a_backlog_of_epochs_comes_in_one_message_and_only_its_news_count() -> None:
    drivers = Drivers()
    killed = drivers.start()
    take(killed, "a")
    killed.receive("a", Message(epochs=(epoch(1, 0.1),)))
    resumed = drivers.start()
    take(resumed, "a")
    repeated = Message(epochs=(epoch(1, 0.9), epoch(2, 0.2), epoch(3, 0.3)))
    assert resumed.receive("a", repeated) is Decision.CONTINUE
    assert [e.metrics["val_acc"] for e in resumed.records[0].epochs] == [0.1, 0.2, 0.3]


def test_the_pruner_may_stop_a_trial_within_a_backlog() -> None:
    dispatcher = Drivers(sweep_config(**PRUNES_BELOW_HALF)).start()
    take(dispatcher, "a")
    backlog = Message(epochs=(epoch(1, 0.6), epoch(2, 0.4), epoch(3, 0.9)))
    assert dispatcher.receive("a", backlog) is Decision.PRUNE
    assert [e.epoch for e in dispatcher.records[0].epochs] == [1, 2]
    assert states(dispatcher) == ["PRUNED"]


def test_a_trial_that_only_lacks_its_ending_gets_it_without_a_worker() -> None:
    drivers = Drivers()
    killed = drivers.start(slots=1)
    take(killed, "a")
    killed.receive("a", Message(epochs=tuple(epoch(number) for number in (1, 2, 3))))
    resumed = drivers.start(slots=1)  # the last driver was killed before it heard that the objective returned
    assert handed_out(resumed, "a") == [1]
    assert states(resumed) == ["COMPLETE", "RUNNING"]


def test_a_trial_runs_in_the_study_once_a_worker_has_taken_it() -> None:
    drivers = Drivers()
    dispatcher = drivers.start(slots=1)
    assert dispatcher.next("a") is not None
    assert (states(dispatcher), drivers.follower.changes) == ([], [])
    assert [trial.state for trial in drivers.storage.get_all_trials(0)] == [TrialState.WAITING]
    dispatcher.started("a")
    dispatcher.started("a")
    assert states(dispatcher) == ["RUNNING"]
    assert len(drivers.follower.changes) == 1
    [trial] = drivers.storage.get_all_trials(0)
    assert trial.state is TrialState.RUNNING
    assert trial.datetime_start is not None


def test_an_attempt_whose_trial_somebody_ends_is_stopped_at_its_next_report() -> None:
    drivers = Drivers()
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    assert dispatcher.receive("a", Message(epochs=(epoch(1),))) is Decision.CONTINUE
    drivers.storage.set_trial_state_values(0, TrialState.FAIL)  # Optuna's API, or its dashboard
    assert dispatcher.receive("a", Message(epochs=(epoch(2),))) is Decision.STOP
    dispatcher.ended("a")
    [ended] = dispatcher.records
    assert (ended.state, ended.stop_reason, len(ended.epochs)) == (TrialState.FAIL, StopReason.EXTERNAL, 1)
    assert handed_out(dispatcher, "b") == [1]


def test_a_lost_trial_is_handed_out_again_before_any_new_one_and_fails_at_the_last_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drivers = Drivers(sweep_config(max_attempts=3))
    dispatcher = drivers.start(slots=2)
    assert handed_out(dispatcher, "a", "b") == [0, 1]
    for lost, again, pause in (("a", "c", 5), ("c", "d", 20)):
        dispatcher.receive(lost, Message(epochs=(epoch(1),)))
        dispatcher.lost(lost, StopReason.LOST, "its node went away")
        assert not dispatcher.done
        drivers.clock.now += pause
        assert handed_out(dispatcher, again) == [0]
    assert "trial-000: worker lost (its node went away); starting it again in 5 s" in caplog.text
    assert "trial-000: worker lost (its node went away); starting it again in 20 s" in caplog.text
    dispatcher.lost("d", StopReason.OOM, "killed by the system")
    failed = dispatcher.records[0]
    assert (failed.state, failed.stop_reason, failed.times_lost) == (TrialState.FAIL, StopReason.OOM, 2)
    assert failed.error == "killed by the system (attempt 3 of 3)"
    assert handed_out(dispatcher, "e") == [2]


def test_a_lone_worker_waits_for_its_trial_and_others_do_not() -> None:
    drivers = Drivers()
    dispatcher = drivers.start(slots=2)
    assert handed_out(dispatcher, "a", "b") == [0, 1]
    dispatcher.lost("a", StopReason.LOST, "gone")
    assert handed_out(dispatcher, "c") == [2], "a slot beside another is not kept idle"
    finish(dispatcher, "b", [0.5])
    drivers.clock.now += 5
    assert handed_out(dispatcher, "d") == [0]
    drivers = Drivers()
    dispatcher = drivers.start(slots=1)
    assert handed_out(dispatcher, "a") == [0]
    dispatcher.lost("a", StopReason.LOST, "gone")
    assert handed_out(dispatcher, "b") == [None]
    drivers.clock.now += 5
    assert handed_out(dispatcher, "b") == [0]
    assert len(drivers.storage.get_all_trials(0)) == 1, "nothing was asked for meanwhile"


def test_the_last_trial_is_waited_for_while_it_may_be_handed_out_again() -> None:
    drivers = Drivers(sweep_config(trials=1))
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    dispatcher.lost("a", StopReason.LOST, "gone")
    assert not dispatcher.done
    assert handed_out(dispatcher, "b") == [None], "what took its worker away may take the next one too"
    drivers.clock.now += 5
    assert handed_out(dispatcher, "b") == [0]
    finish(dispatcher, "b", [0.5])
    assert dispatcher.done


def test_a_trial_that_was_lost_keeps_its_checkpoints_and_its_retry_goes_on_from_them() -> None:
    drivers = Drivers(sweep_config(max_attempts=1, trials=3, keep_checkpoints=1))
    dispatcher = drivers.start(slots=3)
    for number, (attempt, reason) in enumerate(zip("ab", (StopReason.LOST, StopReason.TIMEOUT), strict=True)):
        take(dispatcher, attempt)
        drivers.checkpoints.epochs[number] = ()
        dispatcher.lost(attempt, reason, "gone")
    take(dispatcher, "c")
    drivers.checkpoints.epochs[2] = ()
    fail(dispatcher, "c")
    assert set(drivers.checkpoints.epochs) == {0, 1}, "an error of its own would come again"

    ledger = open_ledger(drivers.config, drivers.storage)
    assert ledger.retry_failed() == [0, 1, 2]
    again = drivers.start(slots=3)
    given = [take(again, attempt) for attempt in "def"]
    assert [(g.number, g.seed, list(g.origins)) for g in given if g] == [(3, 0, [0]), (4, 1, [1]), (5, 5, [])]
    drivers.checkpoints.epochs |= {3: (), 4: ()}
    again.lost("d", StopReason.LOST, "gone again")
    finish(again, "e", [0.5])
    assert set(drivers.checkpoints.epochs) == {0, 3, 4}, "as long as they may be retried, and the best"

    assert open_ledger(drivers.config, drivers.storage).retry_failed() == [3]
    last = drivers.start(slots=1)
    assert handed_out(last, "f") == [5]
    finish(last, "f", [0.4])
    given_last = take(last, "g")
    assert given_last is not None
    assert (given_last.number, given_last.seed, list(given_last.origins)) == (6, 0, [3, 0])
    fail(last, "g")
    assert set(drivers.checkpoints.epochs) == {4}


def test_trials_that_drivers_died_with_come_last_then_alone_and_are_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drivers = Drivers(sweep_config(trials=4))
    begun = drivers.start(slots=3)
    for attempt in "abc":
        take(begun, attempt)

    def died_with(**times: int) -> None:
        ledger = open_ledger(drivers.config, drivers.storage)
        for key, lost in times.items():
            ledger._mirror.set_trial_user_attr(int(key[1:]), "drivers_lost", (lost, 0))

    died_with(t0=1)
    assert handed_out(drivers.start(slots=3), "a", "b", "c") == [1, 2, 0]
    died_with(t0=ALONE_FROM)
    dispatcher = drivers.start(slots=3)
    assert handed_out(dispatcher, "a", "b", "c", "d") == [1, 2, 3, None], "others go first, new ones too"
    finish(dispatcher, "a", [0.5])
    finish(dispatcher, "b", [0.5])
    assert handed_out(dispatcher, "e") == [None]
    finish(dispatcher, "c", [0.5])
    assert not dispatcher.done
    assert handed_out(dispatcher, "e") == [0]
    died_with(t0=MOST_DRIVERS)
    dispatcher = drivers.start(slots=3)
    assert handed_out(dispatcher, "a") == [None]
    assert dispatcher.done
    assert dispatcher.records[0].stop_reason is StopReason.LOST
    told = f"trial-000 is given up: {MOST_DRIVERS} drivers in a row died while it was trained"
    assert told in caplog.text


def test_losing_an_attempt_that_is_over_changes_nothing() -> None:
    dispatcher = Drivers().start(slots=1)
    take(dispatcher, "a")
    dispatcher.receive("a", Message(epochs=(epoch(1),)))
    dispatcher.receive("a", Message(finished=True))
    dispatcher.lost("a", StopReason.LOST, "after its end")
    dispatcher.lost("never heard of", StopReason.LOST, "gone")
    assert states(dispatcher) == ["COMPLETE"]


def test_followers_hear_what_was_there_and_then_each_change() -> None:
    drivers = Drivers(sweep_config(trials=2))
    first = drivers.start(slots=1)
    assert drivers.follower.opened == []
    take(first, "a")
    finish(first, "a", [0.5, 0.6])
    told = [(r.state.name, len(r.epochs)) for r in drivers.follower.changes]
    assert told == [("RUNNING", 0), ("RUNNING", 1), ("RUNNING", 2), ("COMPLETE", 2)]
    drivers.start()
    # Not the times: this storage, unlike a sweep's own, takes them by itself.
    (seen,), (known,) = drivers.follower.opened, first.records
    assert seen == replace(known, started_ms=seen.started_ms, ended_ms=seen.ended_ms)


def test_checkpoints_are_kept_of_the_best_and_of_what_runs() -> None:
    drivers = Drivers(sweep_config(trials=6, keep_checkpoints=2))
    dispatcher = drivers.start(slots=6)
    for number, attempt in enumerate("abcdef"):
        take(dispatcher, attempt)
        drivers.checkpoints.epochs[number] = ()
    finish(dispatcher, "a", [0.3])
    finish(dispatcher, "b", [0.9])
    assert set(drivers.checkpoints.epochs) == {0, 1, 2, 3, 4, 5}
    finish(dispatcher, "c", [0.6])  # better than a
    assert set(drivers.checkpoints.epochs) == {1, 2, 3, 4, 5}
    finish(dispatcher, "d", [0.1])
    fail(dispatcher, "e")
    assert set(drivers.checkpoints.epochs) == {1, 2, 5}
    drivers.checkpoints.epochs[4] = ()  # what a driver killed before it could drop it leaves behind
    drivers.start(keep_checkpoints=1)
    assert set(drivers.checkpoints.epochs) == {1, 5}


def test_what_goes_wrong_within_is_remembered_as_it_was() -> None:
    class Breaks:
        def sweep_opened(self, records: object) -> None: ...

        def trial_changed(self, record: object) -> None:
            raise KeyError(f"change {len(told)}")

    told: list[object] = []
    dispatcher = Drivers().start(observers=[Breaks()])
    for attempt in "ab":
        with pytest.raises(KeyError):
            take(dispatcher, attempt)
        told.append(attempt)
    assert isinstance(dispatcher.fault, KeyError)
    assert str(dispatcher.fault) == "'change 0'", "the first is the cause"


def test_a_workers_notes_are_for_the_user(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Drivers().start()
    take(dispatcher, "a")
    with caplog.at_level(logging.WARNING):
        dispatcher.receive("a", Message(notes=("epochs 2 to 3 are trained again",)))
    assert "trial-000: epochs 2 to 3 are trained again" in caplog.text


def test_an_interrupted_trial_waits_for_the_resume() -> None:
    drivers = Drivers()
    dispatcher = drivers.start(slots=1)
    take(dispatcher, "a")
    dispatcher.request_stop(Stop.INTERRUPTED)
    dispatcher.lost("a", StopReason.LOST, "interrupted with the driver")
    assert (states(dispatcher), dispatcher.done) == (["RUNNING"], True)
    resumed = drivers.start(slots=1)
    assert resumed.records[0].times_lost == 0
    assert handed_out(resumed, "a") == [0]


def test_the_last_trials_are_asked_for_together_and_the_longest_starts_first() -> None:
    drivers = Drivers(sweep_config(trials=16))
    dispatcher = drivers.start(slots=2)
    order = []
    for _ in range(16):
        given = take(dispatcher, "a")
        assert given is not None
        order.append(given.number)
        seconds = float(given.params["depth"])
        dispatcher.receive("a", Message(epochs=(epoch(1, metrics={"val_acc": 0.5, "epoch_s": seconds}),)))
        dispatcher.receive("a", Message(finished=True))
        dispatcher.ended("a")
    assert order[:12] == list(range(12))
    assert sorted(order[12:]) == [12, 13, 14, 15]
    depths = [dispatcher.records[number].params["depth"] for number in order[12:]]
    assert depths == sorted(depths, reverse=True)
    assert len(set(depths)) > 1
    assert dispatcher.done


@pytest.mark.parametrize(("slots", "time_budget"), [(2, 100), (1, None)])
def test_with_a_time_budget_or_a_single_slot_nothing_is_asked_for_ahead(
    slots: int, time_budget: float | None
) -> None:
    drivers = Drivers(sweep_config(trials=4, time_budget=time_budget))
    dispatcher = drivers.start(slots=slots)
    handed_out(dispatcher, "a")
    assert len(drivers.storage.get_all_trials(0)) == 1
