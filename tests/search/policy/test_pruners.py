"""One contract for all pruners, and for each what it is there for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import optuna
import pytest
import sweep_makers
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sweep_makers import MAXIMIZE, open_ledger, sweep_config

from search.config.definition import DatasetNote
from search.config.goals import Direction, Goal
from search.errors import UserError
from search.policy.pruners import PRUNERS, make_pruner, pruner_name, warn_of_no_bound

EPOCHS = 9
NAMES = list(PRUNERS)
NOTE = DatasetNote(name="images", digest="abc", sizes={"train": 1000}, classes=10)


def study_of(
    name: str, direction: Direction = "maximize", epochs: int = EPOCHS, storage: InMemoryStorage | None = None
) -> optuna.Study:
    return optuna.create_study(
        study_name="contract",
        storage=storage,
        load_if_exists=storage is not None,
        direction=direction,
        pruner=make_pruner(name, epochs, Goal("val_acc", direction), classes=10),
    )


def train(study: optuna.Study, values: Sequence[float]) -> int:
    """Report these values, one an epoch, until the pruner says to stop; returns the epochs trained."""
    trial = study.ask()
    for epoch, value in enumerate(values, 1):
        trial.report(value, epoch)
        if epoch < len(values) and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return epoch
    study.tell(trial, values[-1])
    return len(values)


def curves(direction: Direction, count: int = 12, epochs: int = EPOCHS) -> list[list[float]]:
    """Learning curves in a mixed order of quality, as accuracies or as losses."""
    finals = [0.9, 0.5, 0.7, 0.95, 0.3, 0.6, 0.8, 0.2, 0.4, 0.92, 0.1, 0.75][:count]
    accuracies = [[final * epoch / epochs for epoch in range(1, epochs + 1)] for final in finals]
    return [[a if direction == "maximize" else 1 - a for a in curve] for curve in accuracies]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("name", [*NAMES, "auto"])
def test_a_whole_sweep_is_pruned_alike_each_time(name: str, direction: Direction) -> None:
    one, other = (
        [train(study, curve) for curve in curves(direction)]
        for study in (study_of(name, direction), study_of(name, direction))
    )
    assert one == other
    assert one[0] == EPOCHS, "with nothing to compare with, nothing is pruned"


@pytest.mark.parametrize("name", NAMES)
def test_a_pruner_made_anew_for_each_trial_decides_alike(name: str) -> None:
    held, storage = study_of(name), InMemoryStorage()
    for curve in curves("maximize"):
        assert train(study_of(name, storage=storage), curve) == train(held, curve)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("name", ["hyperband", "asha", "median", "percentile"])
def test_the_worst_after_many_better_ones_is_pruned_and_the_best_is_not(
    name: str, direction: Direction
) -> None:
    study = study_of(name, direction)
    for curve in curves(direction):
        train(study, curve)
    best, worst = (
        ([1.0] * EPOCHS, [0.0] * EPOCHS) if direction == "maximize" else ([0.0] * EPOCHS, [1.0] * EPOCHS)
    )
    # Hyperband leaves its last bracket unpruned; among four trials in a row there is one that is not in it.
    assert min(train(study, worst) for _ in range(4)) < EPOCHS
    assert train(study, best) == EPOCHS


def test_threshold_ends_what_has_not_left_chance_and_a_loss_that_explodes() -> None:
    assert train(study_of("threshold"), [0.1] * EPOCHS) == 2
    assert train(study_of("threshold"), [0.1, *[0.5] * (EPOCHS - 1)]) == EPOCHS
    assert train(study_of("threshold", "minimize"), [1e7] * EPOCHS) == 1
    assert train(study_of("threshold", "minimize"), [2.3] * EPOCHS) == EPOCHS


@pytest.mark.parametrize(
    ("classes", "chance", "learns"), [(2, 0.51, 0.53), (3, 0.34, 0.36), (10, 0.11, 0.13), (100, 0.011, 0.013)]
)
def test_threshold_goes_by_the_number_of_classes(classes: int, chance: float, learns: float) -> None:
    def trained(value: float) -> int:
        pruner = make_pruner("threshold", EPOCHS, MAXIMIZE, classes=classes)
        return train(optuna.create_study(direction="maximize", pruner=pruner), [value] * EPOCHS)

    assert trained(1 / classes) == trained(chance) == 2
    assert trained(learns) == EPOCHS


def test_threshold_is_as_it_was_for_ten_classes() -> None:
    pruner = make_pruner("threshold", EPOCHS, MAXIMIZE, classes=10)
    assert train(optuna.create_study(direction="maximize", pruner=pruner), [0.12] * EPOCHS) == EPOCHS
    assert train(optuna.create_study(direction="maximize", pruner=pruner), [0.1199] * EPOCHS) == 2


@pytest.mark.parametrize(
    ("classes", "metric", "pruned"),
    [(10, "val_acc", True), (100, "val_acc", False), (10, "val_f1", False)],
)
def test_a_sweep_tells_its_pruner_how_many_classes_an_accuracy_is_of(
    classes: int, metric: str, pruned: bool
) -> None:
    note = NOTE.model_copy(update={"classes": classes})
    ledger = open_ledger(sweep_config(pruner="threshold", dataset=note, metric=metric))
    number = sweep_makers.started(ledger).number
    for position in (1, 2):
        record, _ = ledger.report(number, sweep_makers.epoch(position, metrics={metric: 0.05}))
    assert (record.state is TrialState.PRUNED) == pruned


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, True),
        ({"pruner_args": {"lower": 0.2}}, False),
        ({"dataset": NOTE}, False),
        ({"dataset": NOTE, "metric": "val_f1"}, True),
        ({"direction": "minimize", "metric": "val_loss"}, False),
        ({"pruner": "median"}, False),
    ],
)
def test_threshold_guesses_no_bound_of_an_unknown_metric_and_says_so(
    fields: dict[str, object], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = sweep_config(**{"pruner": "threshold", **fields})  # type: ignore[arg-type]
    warn_of_no_bound(config.pruner, config.goal, config.pruner_args, config.classes)
    assert ("pruner_args={'lower': 0.2}" in caplog.text) == told


@pytest.mark.parametrize(("args", "epochs"), [({}, EPOCHS), ({"lower": -8.0}, EPOCHS), ({"lower": -6.0}, 2)])
def test_threshold_without_classes_goes_by_what_it_is_given(args: dict[str, float], epochs: int) -> None:
    pruner = make_pruner("threshold", EPOCHS, MAXIMIZE, args)
    assert train(optuna.create_study(direction="maximize", pruner=pruner), [-7.0] * EPOCHS) == epochs


def test_patient_ends_what_no_longer_gets_better() -> None:
    assert train(study_of("patient"), [0.1, 0.5, *[0.4] * (EPOCHS - 2)]) < EPOCHS
    assert train(study_of("patient"), [epoch / 10 for epoch in range(EPOCHS)]) == EPOCHS


def test_none_prunes_nothing() -> None:
    assert [train(study_of("none"), curve) for curve in curves("maximize")] == [EPOCHS] * 12


@pytest.mark.parametrize("name", ["median", "percentile"])
def test_the_first_epochs_are_not_judged(name: str) -> None:
    study = study_of(name, epochs=20)
    for curve in curves("maximize", epochs=20):
        train(study, curve)
    assert train(study, [0.0] * 20) == 4


@pytest.mark.parametrize(
    ("epochs", "name"),
    [(1, "none"), (2, "none"), (3, "asha"), (26, "asha"), (27, "hyperband"), (200, "hyperband")],
)
def test_auto_goes_by_the_epochs(epochs: int, name: str) -> None:
    assert pruner_name("auto", epochs) == name
    assert isinstance(make_pruner("auto", epochs, MAXIMIZE), PRUNERS[name])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("epochs", "judged_after"), [(2, [1]), (3, [1]), (6, [2]), (9, [1, 3]), (20, [3, 9]), (27, [3, 9])]
)
def test_asha_judges_at_rungs_below_the_last_epoch(epochs: int, judged_after: list[int]) -> None:
    assert rungs(epochs) == judged_after


@given(epochs=st.integers(3, 250))
@settings(deadline=None, max_examples=30)
def test_the_last_rung_of_asha_is_the_last_epoch(epochs: int) -> None:
    judged = rungs(epochs)
    after_last = judged[-1] * 3
    # Rungs are whole epochs, so that the last can lie above the end by what rounding up adds.
    assert epochs <= after_last < epochs + 3 ** len(judged)


def rungs(epochs: int) -> list[int]:
    """The epochs after which ASHA ends a trial that is the worst of many, each tried on its own."""
    pruner = make_pruner("asha", epochs, MAXIMIZE)
    assert isinstance(pruner, SuccessiveHalvingPruner)
    found = []
    study = optuna.create_study(direction="maximize", pruner=pruner)
    good = [study.ask() for _ in range(2)]
    bad = study.ask()
    for epoch in range(1, epochs):
        for trial in good:
            trial.report(0.9, epoch)
            trial.should_prune()
        bad.report(0.1, epoch)
        if bad.should_prune():
            found.append(epoch)
            bad = study.ask()  # a fresh one takes its place, good up to here
            for earlier in range(1, epoch + 1):
                bad.report(0.95, earlier)
                bad.should_prune()
    return found


def hyperband_decides(study_name: str, definition: dict[str, int] | None = None) -> list[int]:
    """How far Hyperband lets trials of made-up curves train, in a study of that name."""
    pruner = make_pruner("hyperband", 27, MAXIMIZE)
    study = optuna.create_study(study_name=study_name, direction="maximize", pruner=pruner)
    if definition is not None:
        study.set_user_attr("definition", definition)
    return [train(study, curve) for curve in curves("maximize", epochs=27) * 3]


def test_hyperband_decides_alike_under_any_name() -> None:
    decided = hyperband_decides("monday")
    assert decided == hyperband_decides("tuesday") == hyperband_decides("tuesday", {"version": 2})
    assert len(set(decided)) > 2


def test_a_sweep_of_an_earlier_version_goes_on_by_the_brackets_of_its_name() -> None:
    optunas = optuna.create_study(study_name="monday", direction="maximize", pruner=HyperbandPruner(1, 27, 3))
    expected = [train(optunas, curve) for curve in curves("maximize", epochs=27) * 3]
    assert hyperband_decides("monday", {"version": 1}) == hyperband_decides("monday", {}) == expected
    assert hyperband_decides("tuesday", {"version": 1}) != expected


@pytest.mark.parametrize("name", ["bohb", ""])
def test_unknown_names_list_what_there_is(name: str) -> None:
    with pytest.raises(
        UserError, match=f"unknown pruner '{name}': choose auto or one of hyperband, asha, median"
    ):
        make_pruner(name, EPOCHS, MAXIMIZE)


def test_unknown_arguments_list_the_pruners_own() -> None:
    with pytest.raises(UserError, match=r"pruner median has no argument 'startup': .*n_startup_trials"):
        make_pruner("median", EPOCHS, MAXIMIZE, {"startup": 3})


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("percentile", {"percentile": 200}),
        ("asha", {"reduction_factor": 1}),
        ("patient", {"patience": -1}),
        ("threshold", {"lower": None}),
        ("median", {"n_warmup_steps": -1}),
    ],
)
def test_arguments_out_of_range_are_refused_in_one_line(name: str, args: dict[str, object]) -> None:
    with pytest.raises(UserError, match=f"pruner {name} refuses") as refusal:
        make_pruner(name, EPOCHS, MAXIMIZE, args)
    assert "\n" not in str(refusal.value)


def test_given_arguments_replace_the_defaults_and_leave_the_others() -> None:
    strict = make_pruner("threshold", EPOCHS, MAXIMIZE, {"lower": 0.6})
    study = optuna.create_study(direction="maximize", pruner=strict)
    assert train(study, [0.5] * EPOCHS) == 2


@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 26, 27, 100])
@pytest.mark.parametrize("name", NAMES)
def test_every_pruner_takes_every_number_of_epochs(name: str, epochs: int) -> None:
    study = study_of(name, epochs=epochs)
    trained = [train(study, curve) for curve in curves("maximize", count=5, epochs=epochs)]
    assert all(1 <= count <= epochs for count in trained)
    assert all(math.isfinite(trial.value or 0.0) for trial in study.trials)
