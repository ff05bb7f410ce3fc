"""A long study costs TPE no more than a short one, and is sampled as well."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState, create_trial

from search.policy import bounded_tpe
from search.policy.bounded_tpe import BoundedTPESampler

X = FloatDistribution(0.0, 1.0)


def study_of(sampler: BaseSampler, values: list[tuple[float, float]]) -> optuna.Study:
    """A study whose trials tried these x and got these values."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for x, value in values:
        study.add_trial(create_trial(params={"x": x}, distributions={"x": X}, value=value))
    return study


def spread(count: int) -> list[float]:
    return [index / count for index in range(count)]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a small study reaches."""
    monkeypatch.setattr(bounded_tpe, "NEWEST", 20)
    monkeypatch.setattr(bounded_tpe, "BEST", 10)


def test_a_study_within_the_bound_is_sampled_as_by_optuna() -> None:
    space: dict[str, BaseDistribution] = {"x": X, "kind": CategoricalDistribution(["a", "b"])}

    def sampled(sampler: BaseSampler) -> list[dict[str, object]]:
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for _ in range(40):
            trial = study.ask(space)
            study.tell(trial, trial.params["x"] - (trial.params["kind"] == "a"))
        return [trial.params for trial in study.trials]

    assert sampled(BoundedTPESampler(seed=3)) == sampled(TPESampler(seed=3))


@pytest.mark.usefixtures("short")
def test_old_good_trials_still_attract() -> None:
    good = [(0.7 + 0.001 * index, 1.0) for index in range(10)]
    bad = [(x, -abs(x - 0.7)) for x in spread(190)]
    study = study_of(BoundedTPESampler(seed=0), [*good, *bad])
    asked = []
    for _ in range(40):
        trial = study.ask({"x": X})
        asked.append(trial.params["x"])
        study.tell(trial, -abs(trial.params["x"] - 0.7))
    assert sum(0.6 < x < 0.8 for x in asked) >= 16  # of 40; uniform ones would be 8


@pytest.mark.usefixtures("short")
def test_a_trial_still_running_from_long_ago_repels() -> None:
    sampler = BoundedTPESampler(seed=0)
    study = study_of(sampler, [])
    long_one = study.ask({"x": X})
    for x in spread(200):
        study.add_trial(create_trial(params={"x": x}, distributions={"x": X}, value=x))
    part = sampler._part(study)._get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    assert [trial.number for trial in part] == [long_one.number]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("count", [45, 60, 61, 200, 1000])
def test_few_trials_are_looked_at_however_many_there_are(count: int) -> None:
    sampler = BoundedTPESampler(seed=0)
    study = study_of(sampler, [(x, x) for x in spread(count)])
    for _ in range(5):
        study.ask({"x": X})
        assert 20 <= len(sampler._part(study)._get_trials(deepcopy=False, states=tuple(TrialState))) <= 50


@pytest.mark.usefixtures("short")
def test_brackets_of_hyperband_share_what_is_looked_at() -> None:
    sampler = BoundedTPESampler(seed=0)
    pruner = HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    for _ in range(100):
        trial = study.ask({"x": X})
        for step in range(1, 10):
            trial.report(trial.params["x"] + step / 10, step)
            if trial.should_prune():
                break
        study.tell(trial, trial.params["x"])
    looked_at = sampler._part(study)._get_trials(deepcopy=False, states=tuple(TrialState))
    newest = range(100 - bounded_tpe.NEWEST, 100)
    assert {trial.number for trial in looked_at} >= set(newest)
    assert max(study.trials, key=lambda trial: trial.value or 0.0).number in {t.number for t in looked_at}


@pytest.mark.usefixtures("short")
def test_pruned_trials_fill_up_where_few_are_complete() -> None:
    sampler = BoundedTPESampler(seed=0)
    study = study_of(sampler, [(0.5, 1.0)])
    for x in spread(99):
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED, params={"x": x}, distributions={"x": X}, intermediate_values={1: x}
            )
        )
    kept = sampler._part(study)._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    old = [trial for trial in kept if trial.number < len(study.trials) - bounded_tpe.NEWEST]
    assert len(old) == bounded_tpe.BEST
    assert old[0].value == 1.0
    assert all(trial.params["x"] > 0.6 for trial in old[1:])
