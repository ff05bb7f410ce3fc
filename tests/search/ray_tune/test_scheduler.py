"""What Ray hears of each decision: a stop once the worker has nothing more to say, and until then nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from search.engine.dispatch import Dispatcher
from search.engine.messages import MESSAGE, Message
from search.engine.worker import ask_to_stop
from search.ray_tune.scheduler import LedgerScheduler
from search.study.transitions import Decision

ENDS = [decision for decision in Decision if decision is not Decision.CONTINUE]


def answer(decision: Decision, message: Message) -> tuple[str, list[object]]:
    """What Ray is told of a message that leads to this decision, and what the worker is told."""
    told: list[object] = []
    actor = SimpleNamespace(execute=SimpleNamespace(remote=told.append))
    trial: Any = SimpleNamespace(trial_id="a", temporary_state=SimpleNamespace(ray_actor=actor))
    dispatcher = cast(Dispatcher, SimpleNamespace(receive=lambda attempt, message: decision))
    scheduler = LedgerScheduler(dispatcher)
    return scheduler.on_trial_result(None, cast(Trial, trial), {MESSAGE: message}), told


@pytest.mark.parametrize("message", [Message(), Message(finished=True)], ids=["report", "last"])
def test_an_attempt_that_goes_on_goes_on(message: Message) -> None:
    assert answer(Decision.CONTINUE, message) == (TrialScheduler.CONTINUE, [])


@pytest.mark.parametrize("decision", ENDS)
def test_a_worker_that_is_to_stop_is_told_so_and_ray_is_not(decision: Decision) -> None:
    assert answer(decision, Message()) == (TrialScheduler.CONTINUE, [ask_to_stop])


@pytest.mark.parametrize("decision", ENDS)
@pytest.mark.parametrize("message", [Message(finished=True), Message(left=True)], ids=["finished", "left"])
def test_ray_is_told_once_the_worker_has_come_to_its_end(decision: Decision, message: Message) -> None:
    assert answer(decision, message) == (TrialScheduler.STOP, [])
