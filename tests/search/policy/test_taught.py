"""Samplers learn from trials that diverge or run out of memory: they stop proposing what always does."""

from __future__ import annotations

import math

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from sweep_makers import epoch, open_ledger, started, sweep_config

from search.policy.taught import SweepCmaEsSampler, SweepGPSampler
from search.study.ledger import Ledger
from search.study.lessons import Lesson, Lessons
from search.study.optuna_private import every_trial
from search.study.records import Outcome, StopReason, TrialRecord
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


WIDTHS = SearchSpace(
    name="widths",
    description="The wider the better, up to what the memory holds.",
    parameters={"width": IntDistribution(8, 512, step=8), "lr": FloatDistribution(1e-4, 1.0, log=True)},
)
WIDEST = 200


def run_out_of_memory(sampler: str, seed: int, trials: int) -> list[TrialRecord]:
    """A sweep in which two thirds of the widths are too wide."""
    config = sweep_config(space=WIDTHS, sampler=sampler, seed=seed, trials=trials, max_epochs=1)
    ledger = open_ledger(config)
    records = []
    for _ in range(trials):
        asked = started(ledger)
        if asked.params["width"] > WIDEST:
            records.append(ledger.fail(asked.number, StopReason.OOM, "CUDA out of memory"))
        else:
            value = asked.params["width"] / 512 - 0.1 * math.log10(asked.params["lr"] / 1e-2) ** 2
            ledger.report(asked.number, epoch(1, value))
            records.append(ledger.complete(asked.number))
    return records


@pytest.mark.parametrize(
    ("sampler", "share"),
    [("tpe", 0.5), ("cmaes", 0.5), pytest.param("gp", 0.35, marks=pytest.mark.slow)],
)
def test_where_memory_runs_out_is_proposed_far_less_than_at_random(sampler: str, share: float) -> None:
    seeds, first, later = 1 if sampler == "gp" else 3, TRIALS // 3, TRIALS - TRIALS // 3

    def failed(name: str) -> int:
        """Of the trials after the first third."""
        runs = (run_out_of_memory(name, seed, TRIALS)[first:] for seed in range(seeds))
        return sum(record.stop_reason is StopReason.OOM for records in runs for record in records)

    assert failed(sampler) <= share * seeds * later < failed("random")


def test_gp_and_cmaes_are_shown_pruned_trials_with_their_last_value() -> None:
    for kind in (SweepGPSampler, SweepCmaEsSampler):
        study = optuna.create_study(sampler=kind(seed=0))
        _end(study, [0.5, 0.25], TrialState.PRUNED)
        _end(study, [0.5, 0.125], TrialState.COMPLETE)
        _end(study, [], TrialState.PRUNED, stop_reason="diverged")
        _end(study, [0.0], TrialState.FAIL, stop_reason="error")
        shown = shown_to(study)
        assert [trial.value for trial in shown] == [0.25, 0.125, pytest.approx(0.2625)]
        assert not any(trial.constraints for trial in shown), "none that all others would have to have too"
        _end(study, [0.0], TrialState.FAIL, stop_reason="oom")
        shown = shown_to(study)
        assert [trial.value for trial in shown] == [0.25, 0.125, *[pytest.approx(0.2625)] * 2]
        violated = [list(trial.constraints.values()) for trial in shown]
        assert violated == ([[-1.0], [-1.0], [-1.0], [1.0]] if kind is SweepGPSampler else [[]] * 4)


def test_what_ran_out_of_memory_and_then_did_not_is_forgiven() -> None:
    study = optuna.create_study()
    _end(study, [], TrialState.FAIL, stop_reason="oom")
    _end(study, [], TrialState.FAIL, stop_reason="oom")
    _end(study, [0.5], TrialState.COMPLETE, retry_of=0)
    assert Lessons().of(study.trials) == {1: Lesson.INFEASIBLE}


def test_gp_is_shown_no_more_than_it_can_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SweepGPSampler, "most", 3)
    study = optuna.create_study(sampler=SweepGPSampler(seed=0))
    for number in range(5):
        _end(study, [float(number)], TrialState.COMPLETE if number < 2 else TrialState.PRUNED)
    assert [trial.value for trial in shown_to(study)] == [0.0, 1.0, 4.0], "all COMPLETE, and the newest"


def _end(study: optuna.Study, values: list[float], state: TrialState, **attrs: object) -> None:
    trial = study.ask()
    trial.suggest_float("x", 0.0, 1.0)
    for step, value in enumerate(values, 1):
        trial.report(value, step)
    for name, attr in attrs.items():
        trial.set_user_attr(name, attr)
    study.tell(trial, values[-1] if state is TrialState.COMPLETE else None, state=state)


def shown_to(study: optuna.Study) -> list[FrozenTrial]:
    """The COMPLETE trials that its sampler learns from."""
    sampler = study.sampler
    assert isinstance(sampler, SweepGPSampler | SweepCmaEsSampler)
    sampler.before_trial(study, study.trials[-1])
    return [t for t in every_trial(sampler._shown(study)) if t.state is TrialState.COMPLETE]
