"""Samplers learn from trials that diverge: they stop proposing what always does."""

from __future__ import annotations

import math

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from sweep_makers import epoch, open_ledger, started, sweep_config

from search.study.ledger import Ledger
from search.study.records import Outcome, TrialRecord
from spaces.space import SearchSpace

STEPS = SearchSpace(
    name="steps",
    description="Steps of which most are too long.",
    parameters={"lr": FloatDistribution(1e-6, 1.0, log=True), "decay": FloatDistribution(0.0, 0.5)},
)
TOO_LONG = 1e-4  # above it everything overflows: two thirds of the range
TRIALS = 36


def run(
    sampler: str, direction: str, seed: int, too_long: float = TOO_LONG
) -> tuple[Ledger, list[TrialRecord]]:
    """A sweep whose best step is a tenth of the longest that does not diverge."""
    config = sweep_config(
        space=STEPS, sampler=sampler, direction=direction, seed=seed, trials=TRIALS, max_epochs=1
    )
    ledger = open_ledger(config)
    sign = 1.0 if direction == "minimize" else -1.0
    records = []
    for _ in range(TRIALS):
        number = started(ledger).number
        lr = ledger.record(number).params["lr"]
        if lr > too_long:
            records.append(ledger.diverge(number, "val_acc is inf in epoch 1"))
        else:
            ledger.report(number, epoch(1, sign * abs(math.log10(10 * lr / TOO_LONG))))
            records.append(ledger.complete(number))
    return ledger, records


@pytest.mark.parametrize(
    ("sampler", "direction", "share"),
    [
        ("tpe", "minimize", 0.3),
        ("tpe", "maximize", 0.3),
        ("cmaes", "minimize", 0.5),
        ("cmaes", "maximize", 0.5),
        pytest.param("gp", "maximize", 0.2, marks=pytest.mark.slow),
    ],
)
def test_what_always_diverges_is_proposed_less_and_less(sampler: str, direction: str, share: float) -> None:
    diverged, seeds = [0, 0], 1 if sampler == "gp" else 3  # for GP takes its time
    for seed in range(seeds):
        _, records = run(sampler, direction, seed)
        halves = records[: TRIALS // 2], records[TRIALS // 2 :]
        for half, trials in enumerate(halves):
            diverged[half] += sum(record.outcome is Outcome.DIVERGED for record in trials)
    assert diverged[1] <= share * seeds * TRIALS / 2, "at random it would be two thirds"
    assert diverged[1] < diverged[0]


def test_where_all_diverge_tpe_prefers_those_that_went_further() -> None:
    config = sweep_config(space=STEPS, sampler="tpe", max_epochs=9, trials=TRIALS)
    ledger = open_ledger(config)
    lasted = []
    for _ in range(TRIALS):
        asked = started(ledger)
        epochs = round(-math.log10(asked.params["lr"]))  # a long step overflows at once
        for number in range(1, epochs + 1):
            ledger.report(asked.number, epoch(number))
        ledger.diverge(asked.number, "val_acc is nan")
        lasted.append(epochs)
    assert sum(lasted[: TRIALS // 2]) < sum(lasted[TRIALS // 2 :])


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "qmc", "random"])
def test_every_sampler_goes_on_though_nothing_but_divergence_is_known(sampler: str) -> None:
    _, records = run(sampler, "minimize", 0, too_long=0.0)
    assert len(records) == TRIALS


def test_the_study_itself_has_them_as_pruned_and_its_best_is_a_real_one() -> None:
    ledger, records = run("tpe", "minimize", 0)
    pruned = ledger.study.get_trials(states=(TrialState.PRUNED,))
    assert len(pruned) == sum(record.outcome is Outcome.DIVERGED for record in records) > 0
    assert ledger.study.best_trial.params["lr"] <= TOO_LONG


def test_cmaes_warns_of_nothing(recwarn: pytest.WarningsRecorder) -> None:
    run("cmaes", "minimize", 0)
    assert not [warning for warning in recwarn if "onstraint" in str(warning.message)]
