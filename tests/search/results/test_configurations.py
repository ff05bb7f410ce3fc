"""The same configuration twice is another seed of it: to samplers, in what is told, and as a finalist."""

from __future__ import annotations

import pytest
from sweep_makers import DISCRETE, epoch, open_ledger, record, sweep_config

from search.finalists.choosing import choose_finalists
from search.launching.plan import Plan
from search.policy.samplers import SAMPLERS
from search.ray_tune.placement import Placement
from search.results.configurations import configurations, repeated_text
from search.results.leaderboard import savings
from search.results.summary import SweepSummary

STEADY, LUCKY = {"depth": 1, "optimizer": "sgd"}, {"depth": 2, "optimizer": "sgd"}
RECORDS = [
    record(0, params=LUCKY, value=0.9),
    record(1, params=LUCKY, value=0.5),
    record(2, params=STEADY, value=0.8),
    record(3, params=STEADY, value=0.82),
    record(4, params={"depth": 3, "optimizer": "sgd"}, value=0.1),
]


@pytest.mark.parametrize("sampler", sorted(SAMPLERS.keys() - {"grid"}))
def test_a_sampler_is_told_each_seed_with_its_own_value(sampler: str) -> None:
    """Ten trials of six points: some come again, and a fit with equal points goes on."""
    args = {"n_startup_trials": 7} if sampler in ("gp", "tpe", "cmaes") else {}
    ledger = open_ledger(sweep_config(space=DISCRETE, trials=10, sampler=sampler, sampler_args=args))
    for number in range(10):
        assert ledger.start(ledger.ask().number).number == number
        for position in (1, 2, 3):
            ledger.report(number, epoch(position, 0.5 + number / 100))
        ledger.complete(number)
    records = ledger.records()
    assert [each.value for each in records] == [0.5 + number / 100 for number in range(10)]
    assert len({str(each.params) for each in records}) <= 6


def test_the_best_mean_comes_first_and_not_the_luckiest_seed() -> None:
    config = sweep_config(space=DISCRETE, trials=10)
    found = configurations(RECORDS, config.goal)
    assert [(each.best.number, round(each.mean, 2)) for each in found] == [(3, 0.81), (0, 0.7), (4, 0.1)]
    told = repeated_text(config, RECORDS)
    assert told is not None
    assert told.endswith("best mean val_acc 0.8100 over 2 seeds (0.8000 to 0.8200): depth=1, optimizer=sgd")
    assert repeated_text(config, RECORDS[2:3]) is None


def test_of_a_metric_to_be_small_the_smallest_mean_comes_first() -> None:
    config = sweep_config(space=DISCRETE, trials=10, direction="minimize")
    assert [each.best.number for each in configurations(RECORDS, config.goal)] == [4, 1, 2]


def test_finalists_are_distinct_and_chosen_by_their_means() -> None:
    config = sweep_config(space=DISCRETE, trials=10)
    summary = SweepSummary(config, "id", RECORDS, {}, savings(RECORDS, 3))
    assert [each.number for each in choose_finalists(summary, top=3)] == [3, 0, 4]


@pytest.mark.parametrize(("trials", "sampler", "told"), [(20, "tpe", 1), (6, "tpe", 0), (20, "grid", 0)])
def test_the_plan_says_that_a_small_space_is_drawn_from_again(trials: int, sampler: str, told: int) -> None:
    plan = Plan(Placement(cpus=1, gpus=0, concurrency=None), slots=2, cost=None)
    lines = plan.lines(sweep_config(space=DISCRETE, trials=trials, sampler=sampler))
    said = "6 configurations: one that is drawn again is another seed of it"
    assert [text for _, text in lines].count(said) == told
