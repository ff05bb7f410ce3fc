"""Promotion on made-up curves: what a free slot does, by the trials' records alone."""

from __future__ import annotations

import dataclasses
import heapq
import logging
import math
import time
from collections.abc import Callable

import pytest
from optuna.trial import TrialState
from sweep_makers import MAXIMIZE, MINIMIZE

from search.config.goals import Goal
from search.errors import UserError
from search.policy.freezing import Freezing
from search.policy.promotion import CappedPromotion
from search.policy.pruners import make_pruner
from search.study.hand_outs import HandOut
from search.study.promotion import Ask, Left, Thaw
from search.study.records import Epoch, StopReason, TrialRecord

Curve = Callable[[int, int], float]  # value of a trial at an epoch; NaN: it diverges there


def by_number(number: int, epoch: int) -> float:
    """An accuracy that grows with the epochs; the best trials are scattered among the numbers."""
    return (number * 7 % 10) / 10 + epoch / 1000


class Sweep:
    """A sweep of made-up trials around a promotion: hands out, trains, tells, as the ledger does."""

    def __init__(
        self,
        max_epochs: int = 9,
        *,
        trials: int = 1000,
        budget: int | None = None,
        curve: Curve = by_number,
        goal: Goal = MAXIMIZE,
        workers: int = 1,
        checkpoints: bool = True,
        freezing: Freezing | None = None,
    ) -> None:
        self.max_epochs, self.trials, self.budget, self.curve = max_epochs, trials, budget, curve
        self.goal, self.workers, self.checkpoints = goal, workers, checkpoints
        self.freezing = freezing or Freezing()
        self.promotion = self.made()
        self.records: dict[int, TrialRecord] = {}
        self.spent = 0
        self.choices: list[Thaw | Ask] = []
        self.trained_to_the_first: int | None = None  # epochs that all trials had when one was COMPLETE

    def made(self) -> CappedPromotion:
        """A promotion that knows nothing yet."""
        return CappedPromotion(self.freezing, self.max_epochs, self.goal)

    def resume(self) -> None:
        """Another driver takes the sweep on."""
        self.promotion = self.made()
        for number in sorted(self.records):
            self.promotion.changed(self.records[number])

    def left(self) -> Left:
        epochs = None if self.budget is None else self.budget - self.spent
        return Left(self.trials - len(self.records), epochs, self.budget)

    def choose(self) -> Thaw | Ask | None:
        """Have a slot's work chosen and handed out."""
        choice = self.promotion.next(self.left())
        if choice is None:
            return None
        self.choices.append(choice)
        if isinstance(choice, Ask):
            record = TrialRecord(len(self.records), TrialState.RUNNING, {})
        else:
            record = self.records[choice.number]
            assert record.frozen, "only what is frozen can be thawed"
        cost = (choice.until or self.max_epochs) - record.resumes_at
        assert cost > 0
        self.spent += cost
        assert self.budget is None or self.spent <= self.budget, "what does not fit must not be chosen"
        out = HandOut(choice.until, cost, sum(len(r.epochs) for r in self.records.values()), choice.why)
        self.put(dataclasses.replace(record, hand_outs=(*record.hand_outs, out)))
        return choice

    def put(self, record: TrialRecord) -> None:
        self.records[record.number] = record
        self.promotion.changed(record)

    def train(self, number: int) -> bool:
        """Train one epoch; returns whether the trial goes on."""
        record = self.records[number]
        epoch = len(record.epochs) + 1
        value = self.curve(number, epoch)
        if math.isnan(value):
            self.put(dataclasses.replace(record, state=TrialState.PRUNED, stop_reason=StopReason.DIVERGED))
            return False
        kept = f"{number}/{epoch}" if self.checkpoints else None
        told = Epoch(epoch, {self.goal.metric: value}, 0, "host:1", kept)
        record = dataclasses.replace(record, epochs=(*record.epochs, told))
        if epoch == self.max_epochs:
            record = dataclasses.replace(record, state=TrialState.COMPLETE, value=value)
            self.trained_to_the_first = self.trained_to_the_first or sum(self.trained()) + 1
        self.put(record)
        return record.state is TrialState.RUNNING and not record.frozen

    def run(self, *, resumed: bool = False) -> Sweep:
        """Until nothing can be chosen and nothing runs; resumed: by another driver after each epoch."""
        busy: list[tuple[int, int]] = []  # the time at which an epoch ends, and the trial
        now = 0
        while True:
            while len(busy) < self.workers and (choice := self.choose()):
                number = choice.number if isinstance(choice, Thaw) else len(self.records) - 1
                # A restart has its old epochs first, which tell nothing new.
                again = len(self.records[number].epochs) - self.records[number].resumes_at
                heapq.heappush(busy, (now + 1 + again, number))
            if not busy:
                return self
            now, number = heapq.heappop(busy)
            if self.train(number):
                heapq.heappush(busy, (now + 1, number))
            if resumed:
                self.resume()

    def complete(self) -> list[int]:
        return [n for n, record in self.records.items() if record.state is TrialState.COMPLETE]

    def trained(self) -> list[int]:
        return [len(record.epochs) for record in self.records.values()]


def test_a_third_of_a_rung_goes_on_the_best_first() -> None:
    sweep = Sweep(curve=by_number)
    for _ in range(3):
        sweep.choose()
        sweep.train(len(sweep.records) - 1)
    assert sweep.choose() == Thaw(1, 3, "1st of 3 at epoch 1")  # 0.7 of 0.0, 0.7, 0.4
    assert sweep.choose() == Ask(1, "new"), "a second one would be more than a third"


def test_smaller_values_go_on_where_they_are_better() -> None:
    sweep = Sweep(goal=MINIMIZE)
    for _ in range(3):
        sweep.choose()
        sweep.train(len(sweep.records) - 1)
    assert sweep.choose() == Thaw(0, 3, "1st of 3 at epoch 1")


def test_no_more_than_a_third_passes_however_good_the_new_ones_are() -> None:
    better_and_better = Sweep(27, budget=27 * 20, curve=lambda number, epoch: number + epoch / 100).run()
    trained = better_and_better.trained()
    for rung, until in ((1, 1), (3, 3), (9, 9)):
        beyond, there = sum(n > until for n in trained), sum(n >= rung for n in trained)
        finishing = sum(
            choice.why.startswith(("finish", "the first")) for choice in better_and_better.choices
        )
        assert beyond - finishing <= there // 3


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_the_budget_is_spent_to_less_than_one_training_and_the_best_predictions_are_trained(
    workers: int,
) -> None:
    sweep = Sweep(27, budget=27 * 20, workers=workers).run()
    assert 27 * 20 - sweep.spent < 27
    finalists = [choice for choice in sweep.choices if choice.why.startswith("finish")]
    assert len(finalists) >= 3
    assert all(choice.until is None for choice in finalists)
    assert max(by_number(number, 27) for number in sweep.complete()) == pytest.approx(0.9 + 0.027)


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("max_epochs", [9, 27, 40, 51, 81])
@pytest.mark.parametrize(("trainings", "share"), [(4, 0.5), (10, 0.2), (20, 0.2), (60, 0.2)])
def test_after_a_fifth_of_the_budget_or_two_trainings_one_trial_is_complete(
    trainings: int, share: float, max_epochs: int, workers: int
) -> None:
    sweep = Sweep(max_epochs, budget=max_epochs * trainings, workers=workers).run()
    assert sweep.trained_to_the_first is not None
    # The others train as long, which is more than that part.
    late = max_epochs * (workers - 1) if trainings < 20 else 0
    assert sweep.trained_to_the_first <= share * max_epochs * trainings + late


def test_before_each_later_fifth_one_that_is_to_be_better_is_trained_to_its_end() -> None:
    def rising(number: int, epoch: int) -> float:
        return number / 1000 + epoch / 100  # each trial better than those before it

    sweep = Sweep(81, budget=81 * 20, curve=rising).run()
    assert any(choice.why.startswith("to its end") for choice in sweep.choices)
    falling = Sweep(81, budget=81 * 20, curve=lambda number, epoch: -rising(number, -epoch)).run()
    assert not any(choice.why.startswith("to its end") for choice in falling.choices), "the first is best"


@pytest.mark.parametrize(("trials", "max_epochs"), [(1, 9), (2, 9), (4, 9), (20, 27), (20, 3), (7, 2)])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_sweep_of_so_many_trials_ends_as_successive_halving(
    trials: int, max_epochs: int, workers: int
) -> None:
    sweep = Sweep(max_epochs, trials=trials, workers=workers).run()
    assert len(sweep.records) == trials
    assert sweep.complete(), "one trial at least goes on from each rung"
    trained = sweep.trained()
    assert sum(n > 1 for n in trained) == max(1, trials // 3)
    best = max(range(trials), key=lambda number: by_number(number, max_epochs))
    assert best in sweep.complete()


@pytest.mark.parametrize("budget", [9, 10, 17, 18, 27])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_small_budget_yields_a_complete_trial(budget: int, workers: int) -> None:
    sweep = Sweep(9, budget=budget, workers=workers).run()
    assert sweep.complete()


def test_a_budget_smaller_than_one_training_is_used_and_ends() -> None:
    sweep = Sweep(9, budget=5).run()
    assert not sweep.complete()
    assert sweep.spent >= 4


@pytest.mark.parametrize(("max_epochs", "first"), [(1, 1), (2, 2), (9, 9), (9, 30)])
def test_with_no_rung_below_the_last_epoch_nothing_freezes(
    max_epochs: int, first: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        sweep = Sweep(max_epochs, budget=max_epochs * 4, freezing=Freezing(min_resource=first)).run()
    assert sweep.trained() == [max_epochs] * 4
    assert f"no rung lies below the last epoch, {max_epochs}" in caplog.text


def test_a_constant_metric_promotes_the_earliest() -> None:
    sweep = Sweep(9, budget=90, curve=lambda number, epoch: 0.5).run()
    assert sweep.complete()
    assert sweep.choices[3] == Thaw(0, 3, "1st of 3 at epoch 1")


def test_what_diverged_counts_as_the_worst_of_its_rung() -> None:
    diverges = Sweep(curve=lambda number, epoch: math.nan if number else 0.5)
    for _ in range(3):
        diverges.choose()
        diverges.train(len(diverges.records) - 1)
    assert diverges.choose() == Thaw(0, 3, "1st of 3 at epoch 1")


def test_what_somebody_skipped_counts_nowhere_and_a_retry_takes_its_trials_place() -> None:
    sweep = Sweep()
    for number, reason in enumerate((StopReason.SKIPPED, StopReason.ERROR, StopReason.ERROR)):
        sweep.put(TrialRecord(number, TrialState.FAIL, {}, stop_reason=reason))
    sweep.put(TrialRecord(3, TrialState.WAITING, {}, retry_of=1))
    sweep.choose()
    sweep.train(4)
    assert isinstance(sweep.choose(), Ask), "two stand at epoch 1, of which none may pass"
    sweep.train(5)
    assert sweep.choose() == Thaw(4, 3, "1st of 3 at epoch 1")


@pytest.mark.parametrize("budget", [None, 90])
def test_where_everything_diverges_but_one_that_one_is_trained(budget: int | None) -> None:
    curve = lambda number, epoch: math.nan if number != 4 else 0.5  # noqa: E731
    sweep = Sweep(9, trials=12, budget=budget, curve=curve).run()
    assert sweep.complete() == [4]


def test_where_everything_that_passes_diverges_another_is_trained() -> None:
    curve = lambda number, epoch: math.nan if number < 2 and epoch > 1 else 1 - number / 10  # noqa: E731
    sweep = Sweep(9, trials=4, curve=curve).run()
    assert sweep.complete() == [2]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("budget", [9, 90, None])
def test_without_checkpoints_trials_freeze_at_fewer_rungs_and_it_is_said_once(
    workers: int, budget: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = Sweep(27 if budget != 9 else 9, budget=budget and budget * 3, trials=30, checkpoints=False)
    sweep.workers = workers
    sweep.run()
    assert sweep.complete()
    assert caplog.text.count("trials keep no checkpoints") == 1
    late = [choice.until for choice in sweep.choices[workers:] if isinstance(choice, Ask)]
    assert set(late) <= {3}


def test_another_driver_goes_on_as_the_first_one_would_have() -> None:
    for workers in (1, 4):
        whole = Sweep(27, budget=27 * 10, workers=workers).run()
        resumed = Sweep(27, budget=27 * 10, workers=workers).run(resumed=True)
        assert resumed.choices == whole.choices
    assert Sweep(9, trials=9).run(resumed=True).choices == Sweep(9, trials=9).run().choices


def test_arguments_are_the_pruners_and_checked() -> None:
    freezing = make_pruner("promotion", 27, MAXIMIZE, {"reduction_factor": 4, "min_resource": 2})
    assert isinstance(freezing, Freezing)
    assert (freezing.reduction_factor, freezing.min_resource, freezing.finish) == (4, 2, 0.2)
    for args in ({"reduction_factor": 1}, {"min_resource": 0}, {"finish": 1.0}):
        with pytest.raises(UserError, match=r"pruner promotion refuses .*: (give|the first rung)"):
            make_pruner("promotion", 27, MAXIMIZE, args)
    with pytest.raises(UserError, match=r"pruner promotion has no argument 'eta': .*reduction_factor"):
        make_pruner("promotion", 27, MAXIMIZE, {"eta": 4})


def test_a_decision_among_two_thousand_trials_takes_well_under_a_millisecond() -> None:
    sweep = Sweep(27, trials=2000, budget=27 * 1000)
    took = []
    while len(sweep.records) < 2000:
        began = time.process_time()
        sweep.promotion.next(sweep.left())
        took.append(time.process_time() - began)
        choice = sweep.choose()
        assert choice is not None
        number = choice.number if isinstance(choice, Thaw) else len(sweep.records) - 1
        while sweep.train(number):
            pass
    assert sorted(took)[len(took) // 2] < 1e-3
