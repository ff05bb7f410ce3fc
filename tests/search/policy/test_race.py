"""Seeds go where they tell most, and no further than is needed; what comes next follows from the study."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from optuna.distributions import IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState
from sweep_makers import epoch, open_ledger, sweep_config

from search.config.definition import DatasetNote
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.objective.repeated import ARM, MOST_SEEDS, REPEAT
from search.policy.race import Arm, next_seed
from search.policy.racing import RACE, SURE_TAG, Race
from search.study.ledger import Ledger
from search.study.promotion import Ask
from search.study.records import StopReason
from spaces.space import SearchSpace

Score = Callable[[int, int], float]


def confirming(arms: int = 3, most: int = 9, sure: float = 0.95, **fields: Any) -> SweepConfig:
    parameters = {ARM: IntDistribution(0, arms - 1), REPEAT: IntDistribution(0, MOST_SEEDS - 1)}
    space = SearchSpace(name="seeds", description="Seeds.", parameters=parameters)
    run: dict[str, Any] = {"trials": most, "tags": {SURE_TAG: f"{sure:g}"}, "max_epochs": 1}
    return sweep_config(space=space, sampler=RACE, pruner="none", kind="confirm", **{**run, **fields})


def train_next(ledger: Ledger, score: Score) -> tuple[int, int] | None:
    """Arm and repeat of one training, to its end; None: none comes next."""
    choice = ledger.choose()
    if choice is None:
        return None
    assert isinstance(choice, Ask)
    record = ledger.ask(choice)
    ledger.start(record.number)
    arm, repeat = record.params[ARM], record.params[REPEAT]
    ledger.report(record.number, epoch(1, score(arm, repeat)))
    ledger.complete(record.number)
    return arm, repeat


def race(config: SweepConfig, score: Score, storage: BaseStorage | None = None) -> list[tuple[int, int]]:
    ledger, trained = open_ledger(config, storage), []
    while (seed := train_next(ledger, score)) is not None:
        trained.append(seed)
    return trained


def noisy(*means: float, spread: float = 0.01) -> Score:
    """The scores of arms with these means; the same whenever they are asked for."""
    return lambda arm, repeat: means[arm] + spread * random.Random(f"{arm},{repeat}").gauss(0, 1)


def test_a_race_that_is_clear_is_over_soon() -> None:
    assert len(race(confirming(), noisy(0.9, 0.5, 0.4, spread=0.001))) == 6, "two seeds each"


def test_how_far_seeds_spread_is_measured_of_each_where_no_rule_says_it() -> None:
    """The seeds of the first lie close together, those of the second do not."""
    scores = {0: [0.80, 0.801, 0.80], 1: [0.75, 0.90, 0.9]}
    trained = race(confirming(arms=2, most=6), lambda arm, repeat: scores[arm][repeat])
    assert trained[:4] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert len(trained) == 6


def test_of_accuracies_it_is_known_how_far_seeds_spread() -> None:
    note = DatasetNote(name="digits", digest="a", sizes={"train": 100, "val": 400}, classes=10)
    assert len(race(confirming(dataset=note), noisy(0.9, 0.5, 0.4))) == 3, "one seed each"


def test_seeds_go_to_those_that_are_hard_to_tell_apart() -> None:
    trained = race(confirming(most=12, sure=1.0), noisy(0.8, 0.801, 0.5))
    by_arm = [sum(arm == each for arm, _ in trained) for each in range(3)]
    assert by_arm[2] == 2
    assert sum(by_arm) == 12
    assert abs(by_arm[0] - by_arm[1]) <= 1


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_each_seed_of_an_arm_is_trained_once_and_all_arms_have_the_same(direction: str) -> None:
    trained = race(confirming(sure=1.0, direction=direction), noisy(0.8, 0.8, 0.8))
    assert len(set(trained)) == 9
    for arm in range(3):
        repeats = [repeat for each, repeat in trained if each == arm]
        assert repeats == list(range(len(repeats)))


def test_smaller_is_better_where_it_is() -> None:
    arms = [Arm([0.2, 0.21]), Arm([0.5, 0.51])]
    assert next_seed(arms, 9, maximise=False) is None
    close_below = [Arm([0.2, 0.3]), Arm([0.3, 0.4]), Arm([0.9, 1.0])]
    following = next_seed(close_below, 9, maximise=False)
    assert following is not None
    assert following.arm in (0, 1)
    assert next_seed(close_below, 9, maximise=True) is None


def test_a_driver_that_is_killed_goes_on_with_the_seed_that_came_next() -> None:
    undisturbed = race(confirming(sure=0.99), noisy(0.8, 0.805, 0.79))
    storage, trained = InMemoryStorage(), []
    for _ in undisturbed:
        trained.append(train_next(open_ledger(confirming(sure=0.99), storage), noisy(0.8, 0.805, 0.79)))
    assert trained == undisturbed
    assert train_next(open_ledger(confirming(sure=0.99), storage), noisy(0.8, 0.805, 0.79)) is None


def test_more_seeds_and_more_certainty_go_on_from_what_is_there() -> None:
    storage, score = InMemoryStorage(), noisy(0.8, 0.801, 0.799)
    few = race(confirming(most=6, sure=1.0), score, storage)
    more = race(confirming(most=9, sure=1.0), score, storage)
    assert (len(few), len(more)) == (6, 3)
    assert few + more == race(confirming(most=9, sure=1.0), score)


def test_several_slots_train_different_seeds_and_wait_for_none() -> None:
    ledger = open_ledger(confirming())
    asked = [ledger.ask(choice).params for _ in range(9) if (choice := ledger.choose()) is not None]
    assert len({(params[ARM], params[REPEAT]) for params in asked}) == 9
    assert [sum(params[ARM] == arm for params in asked) for arm in range(3)] == [3, 3, 3]
    assert ledger.choose() is None


def test_an_arm_that_failed_is_out_and_its_retry_brings_it_back() -> None:
    storage = InMemoryStorage()
    ledger = open_ledger(confirming(), storage)
    first = ledger.ask(ledger.choose())
    ledger.start(first.number)
    ledger.fail(first.number, StopReason.OOM, "no room")
    score, trained = noisy(0.9, 0.8, 0.5), []
    while (seed := train_next(ledger, score)) is not None:
        trained.append(seed)
    assert first.params == {ARM: 0, REPEAT: 0}
    assert 0 not in {arm for arm, _ in trained}
    ledger = open_ledger(confirming(), storage)
    assert ledger.retry_failed() == [first.number]
    assert train_next(ledger, score) == (0, 0), "though the race was over"


def test_where_a_seed_of_each_failed_those_with_the_fewest_go_on() -> None:
    arms = [Arm(failed=2), Arm([0.6], failed=1), Arm(failed=1)]
    assert next_seed(arms, 9, maximise=True).arm == 2
    assert next_seed(arms, 4, maximise=True) is None


def test_seeds_that_come_out_alike_end_with_the_last() -> None:
    assert len(race(confirming(), lambda arm, repeat: 0.5)) == 9


def test_one_finalist_is_trained_with_all_its_seeds() -> None:
    assert race(confirming(arms=1, most=3), noisy(0.8)) == [(0, 0), (0, 1), (0, 2)]


def test_a_race_is_over_when_nothing_runs_and_nothing_comes() -> None:
    config = confirming()
    ledger = open_ledger(config)
    while train_next(ledger, noisy(0.9, 0.5, 0.4)) is not None:
        pass
    records = ledger.records()
    assert Race.of(config).is_over(records)
    assert not Race.of(config).is_over(records[:-1])
    assert all(record.state is TrialState.COMPLETE for record in records)


def test_it_is_no_sampler_for_an_ordinary_sweep() -> None:
    with pytest.raises(UserError, match="unknown sampler 'race'"):
        open_ledger(sweep_config(sampler=RACE))
