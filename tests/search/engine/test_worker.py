"""One attempt at one trial, without Ray: what the worker tells the driver, and what it leaves behind."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import search.engine.worker
from search.engine.messages import Assignment, Message, WorkerSpec
from search.engine.worker import make_trainable, run_attempt
from search.objective.context import Objective, TrialContext
from search.study.checkpoints import CheckpointStore
from search.study.records import StopReason

MAX_EPOCHS = 4
ASSIGNMENT = Assignment(number=7, params={"lr": 0.1}, seed=107, epochs_known=0)
BEGUN = Message()
Attempt = Callable[..., list[Message]]


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    """Runs an attempt and returns its messages; the driver ends it after `stop_after` of them."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    CheckpointStore(str(tmp_path / "checkpoints")).claim("this sweep")

    def run(objective: Objective, stop_after: int | None = None, **changes: Any) -> list[Message]:
        messages: list[Message] = []

        def send(message: Message) -> bool:
            if message == BEGUN and not messages:
                return True  # every attempt that goes on from nothing says so first
            messages.append(message)
            if message.finished or message.left or message.failure:
                assert list((tmp_path / "scratch").iterdir()) == [], "the end is told when all is cleaned up"
            return len(messages) != stop_after

        monkeypatch.setattr(search.engine.worker, "_send", send)
        spec = WorkerSpec(
            objective=objective,
            settings={"data": "digits"},
            paths={"data": "/data"},
            metric="val_acc",
            max_epochs=MAX_EPOCHS,
            checkpoints=str(tmp_path / "checkpoints"),
            cpus=2,
            gpus=0.5,
        )
        try:
            run_attempt(spec, replace(ASSIGNMENT, **changes))
        except Exception:  # of any kind: the objective was told to raise it
            assert messages[-1].failure, "a worker that is to be thrown away raises, after it has told why"
        finally:
            assert list((tmp_path / "scratch").iterdir()) == [], "an attempt cleans up behind itself"
        return messages

    return run


def train(params: Mapping[str, Any], context: TrialContext) -> None:
    """Train from wherever the checkpoint is to the last epoch, saving each."""
    for epoch in range(context.epochs_done + 1, context.max_epochs + 1):
        (context.scratch / "model").write_text(f"after {epoch}")
        context.report(epoch, {"val_acc": epoch / 10}, context.scratch)


def reports(*metrics: Any) -> Objective:
    """An objective that reports these, as (epoch, metrics)."""

    def objective(params: Mapping[str, Any], context: TrialContext) -> None:
        for epoch, values in metrics:
            context.report(epoch, values)

    return objective


def raises(error: BaseException) -> Objective:
    """An objective that raises this after an epoch."""

    def objective(params: Mapping[str, Any], context: TrialContext) -> None:
        context.report(1, {"val_acc": 0.5})
        raise error

    return objective


def test_an_attempt_tells_each_epoch_and_its_end(attempt: Attempt) -> None:
    messages = attempt(train)
    epochs = [message.epochs[0] for message in messages[:-1]]
    assert [(e.epoch, e.metrics["val_acc"], e.checkpoint) for e in epochs] == [
        (n, n / 10, f"trial-007/epoch-{n:04d}") for n in range(1, MAX_EPOCHS + 1)
    ]
    assert messages[-1] == Message(finished=True)
    assert all(e.timestamp_ms > 1_600_000_000_000 and ":" in e.worker for e in epochs)


def test_the_objective_gets_its_parameters_and_the_sweep(attempt: Attempt) -> None:
    seen: list[tuple[Any, ...]] = []

    def look(params: Mapping[str, Any], context: TrialContext) -> None:
        seen.append((dict(params), context.number, context.seed, context.max_epochs, context.settings))
        assert context.paths == {"data": "/data"}
        seen.append((context.cpus, context.gpus, context.checkpoint, context.epochs_done))
        assert context.scratch.is_dir()
        assert list(context.scratch.iterdir()) == []
        context.report(1, {"val_acc": 0.5})

    attempt(look)
    assert seen == [({"lr": 0.1}, 7, 107, MAX_EPOCHS, {"data": "digits"}), (2, 0.5, None, 0)]


def test_metrics_become_plain_numbers(attempt: Attempt) -> None:
    import numpy as np

    reported = {"val_acc": np.float32(0.5), "steps": np.int64(3), "epoch_s": np.float64(2)}
    [message, _] = attempt(reports((1, reported)))
    assert message.epochs[0].metrics == {"val_acc": 0.5, "steps": 3.0, "epoch_s": 2.0}
    assert {type(value) for value in message.epochs[0].metrics.values()} == {float}


def test_epochs_are_timed_for_an_objective_that_does_not(attempt: Attempt) -> None:
    def slow_then_quick(params: Mapping[str, Any], context: TrialContext) -> None:
        time.sleep(0.05)
        context.report(1, {"val_acc": 0.5})
        context.report(2, {"val_acc": 0.5})

    first, second, _ = attempt(slow_then_quick)
    assert first.epochs[0].metrics["epoch_s"] >= 0.05
    assert second.epochs[0].metrics["epoch_s"] < 0.05


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        ([(2, {"val_acc": 0.5})], "epoch 2 reported after epoch 0 of 4"),
        ([(0, {"val_acc": 0.5})], "epoch 0 reported after epoch 0 of 4"),
        ([(1, {"val_acc": 0.5}), (1, {"val_acc": 0.5})], "epoch 1 reported after epoch 1 of 4"),
        ([(n, {"val_acc": 0.5}) for n in range(1, 6)], "epoch 5 reported after epoch 4 of 4"),
        ([(1, {"loss": 1.0, "acc": 0.5})], "no 'val_acc' among the reported metrics (loss, acc)"),
        ([(1, {})], "no 'val_acc' among the reported metrics (nothing)"),
        ([(1, {"val_acc": 0.5, "f1(macro)": 0.5})], "metric 'f1(macro)' cannot be shown in MLflow"),
        ([(1, {"val_acc": 0.5, "../loss": 0.5})], "metric '../loss' cannot be shown in MLflow"),
        ([(1, {"val_acc": 0.5, "x" * 300: 0.5})], "xx' cannot be shown in MLflow: a metric's name is 1 to"),
        ([(1, {"val_acc": "high"})], "could not convert string to float: 'high'"),
    ],
)
def test_a_wrong_report_fails_the_trial_with_the_rule(attempt: Attempt, metrics: Any, why: str) -> None:
    failure = attempt(reports(*metrics))[-1]
    assert failure.failure is StopReason.ERROR
    assert why in failure.error
    assert failure.epochs == ()


@pytest.mark.parametrize("name", ["val_acc", "val_loss"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_fails_the_trial_as_nan(attempt: Attempt, name: str, value: float) -> None:
    [good, failure] = attempt(reports((1, {"val_acc": 0.5}), (2, {"val_acc": 0.5, name: value})))
    assert good.epochs
    assert failure.failure is StopReason.DIVERGED
    assert f"{name} is {value} in epoch 2" in failure.error


OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})  # torch's, by its name


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FloatingPointError("loss is nan"), StopReason.DIVERGED),
        (MemoryError("host"), StopReason.OOM),
        (OutOfMemoryError("CUDA out of memory"), StopReason.OOM),
        (KeyError("lr"), StopReason.ERROR),
        (OSError(28, "No space left on device"), StopReason.ERROR),
    ],
)
def test_what_an_objective_raises_is_told_with_its_reason_and_where(
    attempt: Attempt, error: Exception, reason: StopReason
) -> None:
    failure = attempt(raises(error))[-1]
    assert failure.failure is reason
    assert type(error).__name__ in failure.error
    assert "raise error" in failure.error, "the line that raised"


def test_the_error_goes_on_to_ray_which_throws_the_worker_away(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(search.engine.worker, "_send", lambda message: True)
    spec = WorkerSpec(raises(KeyError("lr")), {}, {}, "val_acc", MAX_EPOCHS, str(tmp_path), 1, 0)
    with pytest.raises(RuntimeError) as raised:
        run_attempt(spec, ASSIGNMENT)
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit(0), "SystemExit: 0"),
        (SystemExit(), "SystemExit"),
        (SystemExit("no data in /data"), "SystemExit: no data in /data"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_an_exit_of_the_objectives_own_is_its_failure(
    attempt: Attempt, error: BaseException, told: str
) -> None:
    def exits_in_a_pool(params: Mapping[str, Any], context: TrialContext) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(raises(error), params, context).result()

    for objective in (raises(error), exits_in_a_pool):
        [_, failure] = attempt(objective)
        assert failure.failure is StopReason.ERROR
        assert failure.error.splitlines()[-1] == told


def test_an_attempt_that_the_driver_ends_is_no_failure(attempt: Attempt) -> None:
    messages = attempt(train, stop_after=2)
    assert [message.epochs[0].epoch for message in messages[:-1]] == [1, 2]
    assert messages[-1] == Message(left=True)


def swallows(error: BaseException) -> None:
    """Goes on as if nothing had happened."""


def exits_otherwise(error: BaseException) -> None:
    raise SystemExit(1) from error


def raises_again(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("then", [swallows, exits_otherwise, raises_again])
def test_a_stop_that_is_caught_is_still_a_stop(
    attempt: Attempt, then: Callable[[BaseException], None]
) -> None:
    def stubborn(params: Mapping[str, Any], context: TrialContext) -> None:
        for epoch in range(1, context.max_epochs + 1):
            try:
                context.report(epoch, {"val_acc": 0.5})
            except SystemExit as error:
                then(error)

    messages = attempt(stubborn, stop_after=2)
    assert [len(message.epochs) for message in messages] == [1, 1, 0]
    assert messages[-1] == Message(left=True)


def test_a_stop_in_a_thread_of_the_objectives_is_a_stop(attempt: Attempt) -> None:
    def in_a_pool(params: Mapping[str, Any], context: TrialContext) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(train, params, context).result()

    def in_a_thread(params: Mapping[str, Any], context: TrialContext) -> None:
        thread = threading.Thread(target=train, args=(params, context))
        thread.start()
        thread.join()

    for objective in (in_a_pool, in_a_thread):
        assert attempt(objective, stop_after=1)[-1] == Message(left=True)


def test_a_clean_up_that_fails_is_told_apart_and_spoils_the_worker(attempt: Attempt) -> None:
    def train_and_trip(params: Mapping[str, Any], context: TrialContext) -> None:
        try:
            train(params, context)
        finally:
            raise OSError(28, "No space left on device")

    end = attempt(train_and_trip, stop_after=1)[-1]
    assert (end.left, end.failure) == (True, StopReason.ERROR)
    assert "No space left on device" in end.error


def test_the_driver_knows_of_an_attempt_before_it_does_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Message] = []
    monkeypatch.setattr(
        search.engine.worker, "_send", lambda message: told.append(message)
    )  # which is to stop
    spec = WorkerSpec(lambda *_: pytest.fail("it trains"), {}, {}, "val_acc", 1, str(tmp_path), 1, 0)
    run_attempt(spec, ASSIGNMENT)
    assert told == [BEGUN, Message(left=True)]


def test_an_attempt_may_end_before_it_trains(attempt: Attempt) -> None:
    attempt(train, stop_after=2)
    first, end = attempt(train, stop_after=1, epochs_known=2)
    assert len(first.epochs) == 2
    assert end == Message(left=True)


def test_a_resumed_attempt_tells_its_history_first_and_goes_on_from_there(attempt: Attempt) -> None:
    first = attempt(train, stop_after=2)
    done: list[tuple[int, str]] = []

    def look_and_train(params: Mapping[str, Any], context: TrialContext) -> None:
        assert context.checkpoint is not None
        done.append((context.epochs_done, (context.checkpoint / "model").read_text()))
        train(params, context)

    messages = attempt(look_and_train, epochs_known=2)
    assert done == [(2, "after 2")]
    assert messages[0] == Message(epochs=tuple(message.epochs[0] for message in first[:-1]))
    assert [message.epochs[0].epoch for message in messages[1:-1]] == [3, 4]


def test_epochs_without_a_checkpoint_are_trained_again_and_the_user_is_told(attempt: Attempt) -> None:
    attempt(train, stop_after=1)
    messages = attempt(train, epochs_known=3)
    assert messages[0].notes == ("resumes from epoch 1, though the study knows 3 epochs of it",)
    assert [e.epoch for e in messages[0].epochs] == [1]
    assert [message.epochs[0].epoch for message in messages[1:-1]] == [2, 3, 4]


def test_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(attempt: Attempt, tmp_path: Path) -> None:
    attempt(train, stop_after=2)
    (tmp_path / "checkpoints" / "trial-007" / "epoch-0002" / "model").write_text("rot")
    messages = attempt(train, epochs_known=2)
    damaged, again = messages[0].notes
    assert "epoch-0002 is not whole" in damaged
    assert again == "resumes from epoch 1, though the study knows 2 epochs of it"
    assert [message.epochs[0].epoch for message in messages[1:-1]] == [2, 3, 4]


def test_an_epoch_counts_though_its_checkpoint_could_not_be_written(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CheckpointStore, "save", full)
    messages = attempt(train)
    assert [message.epochs[0].epoch for message in messages[:-1]] == [1, 2, 3, 4]
    assert messages[0].notes == ("no checkpoint of epoch 1 (No space left on device); training continues",)
    assert messages[-1].finished


def throttled(*_: object) -> None:
    raise OSError("SLOW_DOWN: reduce your request rate")


def test_checkpoints_that_do_not_answer_are_waited_for(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt(train, stop_after=2)
    newest, looks = CheckpointStore.newest, iter([throttled, throttled])
    monkeypatch.setattr("search.engine.beginning.FIRST_LOOK_S", 0.01)
    monkeypatch.setattr(CheckpointStore, "newest", lambda *args: next(looks, newest)(*args))
    waiting, still, begun, *_ = attempt(train, epochs_known=2)
    assert waiting.notes == (
        "checkpoints do not answer (SLOW_DOWN: reduce your request rate); waiting for them",
    )
    assert still == Message(), "the driver may stop it while it waits, and is told that it lives"
    assert begun.notes == ("checkpoints answer again",)
    assert [epoch.epoch for epoch in begun.epochs] == [1, 2]


def test_a_trial_may_be_stopped_while_it_waits_for_checkpoints(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CheckpointStore, "newest", throttled)
    assert attempt(train, stop_after=1)[-1] == Message(left=True)


def test_checkpoints_that_are_not_mounted_are_waited_for_and_nothing_is_written_in_their_place(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    attempt(train, stop_after=2)
    stored, away = tmp_path / "checkpoints", tmp_path / "away"
    stored.rename(away)
    stored.mkdir()  # where it is mounted
    monkeypatch.setattr("search.engine.beginning.FIRST_LOOK_S", 0.01)
    assert attempt(train, stop_after=1, epochs_known=2)[-1] == Message(left=True)
    fresh = attempt(train)
    assert "no checkpoint of epoch 1" in fresh[0].notes[0]
    assert list(stored.iterdir()) == []

    def mounted_again(*_: object) -> None:
        stored.rmdir()
        away.rename(stored)

    monkeypatch.setattr("search.engine.beginning.time.sleep", mounted_again)
    assert [len(message.epochs) for message in attempt(train, epochs_known=2)] == [0, 2, 1, 1, 0]


def test_checkpoints_that_never_answer_cost_an_attempt(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("search.engine.beginning.CHECKPOINTS_WAIT_S", 0.0)
    monkeypatch.setattr(search.engine.worker, "_send", lambda message: pytest.fail("nothing is told of it"))
    monkeypatch.setattr(CheckpointStore, "newest", throttled)
    spec = WorkerSpec(train, {}, {}, "val_acc", MAX_EPOCHS, str(tmp_path), 1, 0)
    with pytest.raises(OSError, match="SLOW_DOWN"):
        run_attempt(spec, ASSIGNMENT)


def test_a_retry_goes_on_from_the_checkpoint_of_the_trial_that_was_lost(
    attempt: Attempt, tmp_path: Path
) -> None:
    attempt(train, stop_after=2)
    begun, *rest = attempt(train, number=12, origins=(9, 7), stop_after=2)
    assert begun.notes == ("resumes from epoch 2 of trial-007, which it retries",)
    assert [epoch.epoch for epoch in begun.epochs] == [1, 2]
    assert [message.epochs[0].epoch for message in rest[:-1]] == [3]
    again, *_ = attempt(train, number=12, origins=(9, 7), epochs_known=3)
    assert again.notes == (), "it has checkpoints of its own now"
    assert again.epochs[-1].checkpoint == "trial-012/epoch-0003"
    assert (tmp_path / "checkpoints" / "trial-007" / "epoch-0002").is_dir()


def test_a_trainable_takes_an_assignment_as_its_config(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Message] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(search.engine.worker, "_send", lambda message: told.append(message) or True)
    spec = WorkerSpec(reports((1, {"val_acc": 0.5})), {}, {}, "val_acc", 1, str(tmp_path), 1, 0)
    make_trainable(spec)({"number": 3, "params": {}, "seed": 1, "epochs_known": 0})
    assert [message.finished for message in told] == [False, False, True]
