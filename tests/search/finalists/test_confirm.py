"""Finalists are ranked by what fresh seeds say; one that diverges with some cannot win by the others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState
from sweep_makers import record, sweep_config

from search.config.sweep_config import SweepConfig
from search.driver import SweepResult
from search.errors import SweepFailed, UserError
from search.finalists.choosing import choose_finalists
from search.finalists.confirm import Confirmation, confirm, confirmed
from search.finalists.repeats import failure_summary
from search.results.leaderboard import savings
from search.results.summary import SweepSummary
from search.study.records import StopReason, TrialRecord
from spaces.space import SearchSpace

SEEDS = 3
FINALISTS = [record(7, value=0.80), record(2, value=0.79), record(9, value=0.78)]


def trainings(*arms: Sequence[float]) -> list[TrialRecord]:
    """One training for each value, arm by arm; what is NaN failed."""
    points = [(arm, repeat, value) for arm, values in enumerate(arms) for repeat, value in enumerate(values)]
    return [
        record(
            number,
            TrialState.FAIL if math.isnan(value) else TrialState.COMPLETE,
            params={"arm": arm, "repeat": repeat},
            value=None if math.isnan(value) else value,
            stop_reason=StopReason.DIVERGED if math.isnan(value) else StopReason.FINISHED,
            error="NonFiniteLoss: it diverged" if math.isnan(value) else None,
        )
        for number, (arm, repeat, value) in enumerate(points)
    ]


def confirming(**fields: str) -> SweepConfig:
    """Of an earlier version, which trained all seeds."""
    parameters = {"arm": IntDistribution(0, len(FINALISTS) - 1), "repeat": IntDistribution(0, SEEDS - 1)}
    space = SearchSpace(name="seeds", description="Seeds.", parameters=parameters)
    return sweep_config(space=space, trials=len(FINALISTS) * SEEDS, sampler="grid", kind="confirm", **fields)


def confirmation(records: Sequence[TrialRecord], direction: str = "maximize") -> Confirmation:
    config = confirming(direction=direction)
    found = confirmed(config, records, FINALISTS)
    assert found is not None
    return found


def ranking(found: Confirmation) -> list[int]:
    return [finalist.record.number for finalist in found.finalists]


def test_finalists_of_which_all_seeds_fail_are_told_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    config, failed = confirming(), trainings(*[[math.nan] * SEEDS] * len(FINALISTS))
    ended = SweepResult(config, failed, None, None, 1.0, None, None)
    monkeypatch.setattr("search.finalists.confirm.run_repeats", lambda *_, **__: ended)
    told = "could not be confirmed: 9 diverged .*: run the command again .*, or choose another finalist"
    with pytest.raises(SweepFailed, match=told) as failure:
        confirm(config, FINALISTS)
    assert "\n" not in str(failure.value)


def test_the_best_mean_wins() -> None:
    found = confirmation(trainings([0.70, 0.71, 0.72], [0.75, 0.76, 0.77], [0.60, 0.61, 0.62]))
    assert ranking(found) == [2, 7, 9]
    assert found.winner.optimism == pytest.approx(0.79 - 0.76)
    chances = [finalist.estimate.probability_best or 0 for finalist in found.finalists]
    assert sum(chances) == pytest.approx(1)
    assert not found.unconfirmed


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_finalist_that_diverged_with_some_seeds_comes_last_whatever_the_others_say(direction: str) -> None:
    best = 0.99 if direction == "maximize" else 0.01
    found = confirmation(
        trainings([best, math.nan, math.nan], [0.75, 0.76, 0.77], [0.60, 0.61, 0.62]), direction
    )
    assert ranking(found) == ([2, 9, 7] if direction == "maximize" else [9, 2, 7])
    unstable = found.finalists[-1]
    assert (unstable.values, unstable.failed) == ((best,), 2)
    assert unstable.estimate.probability_best is None
    chances = [finalist.estimate.probability_best or 0 for finalist in found.finalists[:2]]
    assert sum(chances) == pytest.approx(1)
    assert found.to_json()[-1]["failed"] == 2


def test_fewer_failed_seeds_come_first_among_those_with_failed_ones() -> None:
    found = confirmation(trainings([0.9, math.nan, math.nan], [0.5, 0.5, math.nan], [0.4, 0.4, math.nan]))
    assert ranking(found) == [2, 9, 7]


def test_a_finalist_of_which_every_seed_failed_does_not_keep_the_others_from_being_compared() -> None:
    found = confirmation(trainings([math.nan] * 3, [0.75, 0.76, 0.77], [0.60, 0.61, 0.62]))
    assert ranking(found) == [2, 9]
    assert [each.number for each in found.unconfirmed] == [7]


def test_nothing_is_said_before_all_seeds_have_ended_or_where_none_completed() -> None:
    config = confirming()
    some = trainings([0.7, 0.7, 0.7], [0.7, 0.7, 0.7], [0.7, 0.7])
    assert confirmed(config, some, FINALISTS) is None
    running = record(8, TrialState.RUNNING, params={"arm": 2, "repeat": 2}, ended_ms=None)
    assert confirmed(config, [*some, running], FINALISTS) is None
    none = trainings(*([math.nan] * SEEDS for _ in FINALISTS))
    assert confirmed(config, none, FINALISTS) is None


def test_a_seed_trained_again_counts_once() -> None:
    before = trainings([0.7, math.nan, 0.72], [0.75, 0.76, 0.77], [0.60, 0.61, 0.62])
    assert failure_summary(before) == "1 diverged (NonFiniteLoss: it diverged)"
    again = record(9, params={"arm": 0, "repeat": 1}, value=0.71, retry_of=1)
    assert failure_summary([*before, again]) == ""
    first = next(each for each in confirmation([*before, again]).finalists if each.record.number == 7)
    assert (sorted(first.values), first.failed) == ([0.7, 0.71, 0.72], 0)


def test_what_somebody_added_that_the_space_does_not_hold_is_no_finalist() -> None:
    records = [
        record(0, params={"depth": 9, "lr": 0.1}, value=0.99),
        record(1, params={"lr": 0.1}, value=0.98),
        record(2, value=0.5),
    ]
    summary = SweepSummary(sweep_config(), "id", records, {}, savings(records, 3))
    assert choose_finalists(summary, top=3) == [records[2]]
    with pytest.raises(UserError, match=r"`trial=0`: .*'depth' is 9.*choose another"):
        choose_finalists(summary, top=3, number=0)
