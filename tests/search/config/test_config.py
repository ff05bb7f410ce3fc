"""What defines a sweep is saved whole, read back equal, and compared field by field."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import IntDistribution
from pydantic import ValidationError
from sweep_makers import CONDITIONAL, DISCRETE, FLAT, of_version_1, sweep_config

from search.config.definition import DatasetNote, Definition
from search.config.model import one_line
from search.config.run_settings import RENAMED
from search.config.sweep_config import SweepConfig, sweep_names
from search.errors import UserError
from spaces.registry import load_space, shipped_spaces
from spaces.space import SearchSpace

NOTE = DatasetNote(name="digits", digest="abc", sizes={"train": 10}, classes=10)
# For each field, a value that sweep_config() does not have.
OTHER_VALUES: dict[str, Any] = {
    "name": "other",
    "space": CONDITIONAL,
    "space_source": "conditional.py",
    "objective": "package.module:other",
    "settings": {"data": "other"},
    "dataset": NOTE,
    "metric": "val_auc",
    "direction": "minimize",
    "max_epochs": 9,
    "sampler": "tpe",
    "enqueue": [{"lr": 0.5}],
    "prior": [{"lr": 0.5}],
    "sampler_args": {"n_startup_trials": 3},
    "pruner": "median",
    "pruner_args": {"n_startup_trials": 3},
    "seed": 7,
    "trials": 40,
    "budget": "20x",
    "keep_frozen": 7,
    "keep_frozen_size": 10**10,
    "cpus_per_trial": 2.0,
    "gpus_per_trial": 0.5,
    "concurrency": 3,
    "time_budget": 60.0,
    "core_hours": 7.0,
    "gpu_hours": 7.0,
    "stop_when": "worthless",
    "finish": True,
    "finish_share": 0.3,
    "trial_timeout": 60.0,
    "cleanup_time": 5.0,
    "ray_address": "auto",
    "storage": "sqlite:///other.db",
    "tracking_uri": "sqlite:///other.db",
    "experiment": "other",
    "loggers": ["tensorboard"],
    "kind": "retrain",
    "tags": {"other": "1"},
    "sweeps_dir": Path("other"),
    "objective_place": "/elsewhere",
    "checkpoints": "s3://bucket/other",
    "paths": {"data": "/elsewhere"},
    "keep_checkpoints": 1,
    "max_attempts": 1,
    "first_failures": 5,
    "share_after": 9,
    "max_failed_share": 0.1,
}

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))  # what stores take
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
amounts = st.floats(0.01, 1.0) | st.integers(1, 64).map(float)
configs = st.builds(
    SweepConfig,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    space=st.sampled_from(shipped_spaces()).map(load_space),
    space_source=st.none() | texts,
    objective=st.just("package.module:function"),
    settings=st.dictionaries(texts, plain, max_size=2),
    dataset=st.none() | st.just(NOTE),
    direction=st.sampled_from(["maximize", "minimize"]),
    max_epochs=st.integers(1, 1000),
    sampler_args=st.dictionaries(texts, plain, max_size=2),
    seed=st.integers(0, 2**31 - 1),
    trials=st.integers(1, 10_000),
    budget=st.none() | st.integers(1000, 10**6) | st.integers(1, 99).map("{}x".format),
    keep_frozen_size=st.none() | st.integers(0, 10**15),
    cpus_per_trial=st.none() | amounts,
    gpus_per_trial=st.none() | st.floats(0.0, 1.0),
    concurrency=st.none() | st.integers(1, 99),
    time_budget=st.none() | st.floats(0.1, 1e6),
    storage=st.none() | texts.filter(bool),
    max_failed_share=st.floats(0.01, 1.0),
)


@settings(deadline=None, max_examples=60)
@given(configs)
def test_what_is_saved_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, config: SweepConfig
) -> None:
    config = config.model_copy(update={"sweeps_dir": tmp_path_factory.mktemp("sweeps")})
    config.save()
    config.save()
    assert [path.name for path in config.folder.iterdir()] == ["sweep.json"]
    again = SweepConfig.load(config.name, config.sweeps_dir)
    assert again == config
    assert again.definition().difference(config.definition().to_json()) == []


@pytest.mark.parametrize("name", ["a", "7", "quickstart-1", "A.b_c-d", "a" * 64])
def test_names_that_do_as_folder_study_and_run(name: str) -> None:
    assert sweep_config(name=name).name == name


@pytest.mark.parametrize("name", ["", "-a", ".hidden", "a/b", "../a", "a b", "a\n", "ü", "a" * 65])
def test_other_names_are_refused_with_the_rule(name: str) -> None:
    with pytest.raises(ValidationError, match="letters, digits"):
        sweep_config(name=name)


@pytest.mark.parametrize("amount", [0.1, 0.5, 1, 2, 8.0])
def test_fractions_up_to_one_and_whole_numbers_can_be_placed(amount: float) -> None:
    assert sweep_config(cpus_per_trial=amount).cpus_per_trial == amount
    if amount <= 1:
        assert sweep_config(gpus_per_trial=amount).gpus_per_trial == amount


def test_a_sweep_with_more_gpus_a_trial_than_it_can_use_is_refused_and_an_old_one_can_be_read(
    tmp_path: Path,
) -> None:
    why = "a trial trains on one device, and would leave the others idle: give 1 or less"
    with pytest.raises(ValidationError, match=why):
        sweep_config(gpus_per_trial=2)
    old = sweep_config(sweeps_dir=tmp_path).model_copy(update={"gpus_per_trial": 2.0})
    old.save()
    stored = SweepConfig.load(old.name, tmp_path)
    assert stored == old
    with pytest.raises(ValidationError, match=why):
        SweepConfig.model_validate(dict(stored))


@pytest.mark.parametrize("field", ["cpus_per_trial", "gpus_per_trial"])
@pytest.mark.parametrize("amount", [1.5, 2.01, -1, math.nan, math.inf])
def test_amounts_that_nothing_can_hold_are_refused(field: str, amount: float) -> None:
    with pytest.raises(ValidationError, match=field):
        sweep_config(**{field: amount})


def test_loggers_are_those_that_there_are_each_once() -> None:
    assert sweep_config(loggers=["wandb", "tensorboard", "wandb"]).loggers == ["wandb", "tensorboard"]
    with pytest.raises(ValidationError, match="Input should be 'tensorboard' or 'wandb'") as refused:
        sweep_config(loggers=["tensorbord"])
    assert one_line(refused.value).startswith("`loggers=tensorbord`")


def test_a_trial_may_have_no_gpu_but_not_no_core() -> None:
    assert sweep_config(gpus_per_trial=0).gpus_per_trial == 0
    with pytest.raises(ValidationError):
        sweep_config(cpus_per_trial=0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trials", 0),
        ("max_epochs", 0),
        ("concurrency", 0),
        ("seed", -1),
        ("seed", 2**31),
        ("time_budget", 0),
        ("keep_checkpoints", 0),
        ("keep_frozen", -1),
        ("budget", 0),
        ("budget", "2.5x"),
        ("budget", True),
        ("keep_frozen_size", "ten apples"),
        ("keep_frozen_size", "-1GB"),
        ("max_failed_share", 0),
        ("direction", "up"),
        ("colour", 1),
    ],
)
def test_values_out_of_range_and_unknown_fields_are_refused_in_one_line(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        sweep_config(**{field: value})
    line = one_line(refusal.value)
    assert line.startswith(f"`{field}={value}`: ")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("size", "epochs", "trials"),
    [
        ({"trials": 4, "budget": None}, None, 4),
        ({"trials": None, "budget": "20x"}, 60, 60),
        ({"trials": None, "budget": 54}, 54, 54),
        ({"trials": None, "budget": " 54 "}, 54, 54),
        ({"trials": 4, "budget": "20x"}, 60, 4),
        ({"trials": None, "budget": "20x", "sampler": "grid", "space": DISCRETE}, 60, 6),
    ],
)
def test_a_size_is_in_trials_or_in_epochs_or_whole_trainings(
    size: dict[str, Any], epochs: int | None, trials: int
) -> None:
    config = sweep_config(**size)
    assert (config.budget_epochs, config.most_trials) == (epochs, trials)


def test_a_sweep_says_its_size_in_words() -> None:
    assert sweep_config().size_text == "4 trials of up to 3 epochs"
    assert sweep_config(trials=None, budget="20x").size_text == "60 epochs in trials of up to 3"
    assert sweep_config(budget=7).size_text == "7 epochs in trials of up to 3, 4 trials at most"
    assert sweep_config(trials=None, budget="10x", finish=True).size_text == (
        "18 epochs in trials of up to 3; 12 more are kept back to finish"
    )


@pytest.mark.parametrize(
    ("size", "why"),
    [
        ({"trials": None}, r"how large .*: give `trials=30`, or `budget=20x` for the epochs of 20 whole"),
        ({"budget": 2}, r"`budget=2` trains no trial to its end, which takes 3 epochs: give `budget=1x`"),
    ],
)
def test_a_sweep_of_no_size_or_less_than_one_training_is_refused_in_one_line(
    size: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        sweep_config(**size)
    assert re.match(why, one_line(refusal.value))
    sweep_config(trials=None, budget="1x")
    sweep_config(trials=None, budget="20x")


@pytest.mark.parametrize(
    ("text", "size"), [("10GB", 10**10), ("1.5 GiB", 3 * 2**29), ("500MB", 5 * 10**8), (7, 7)]
)
def test_a_room_is_bytes_or_says_its_unit(text: object, size: int) -> None:
    assert sweep_config(keep_frozen_size=text).keep_frozen_size == size


def test_one_line_of_any_other_error_joins_its_lines() -> None:
    assert one_line(OSError("no\n  such  thing")) == "no such thing"


def test_every_field_was_thought_about() -> None:
    undecided = SweepConfig.model_fields.keys() ^ OTHER_VALUES.keys()
    assert not undecided, "does it belong to the definition? Give it another value above"


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_only_the_fields_of_the_definition_make_another_sweep(field: str) -> None:
    before, after = sweep_config(), sweep_config(**{field: OTHER_VALUES[field]})
    difference = after.definition().difference(before.definition().to_json())
    assert all(line.startswith(f"{field}: ") for line in difference)
    assert bool(difference) == (field in Definition.model_fields)


def test_the_difference_says_what_was_and_what_is() -> None:
    parameters = {**FLAT.parameters, "depth": IntDistribution(1, 5)}
    wider = SearchSpace(name="flat", description="", parameters=parameters, fixed={})
    before, after = sweep_config().definition(), sweep_config(space=wider, seed=3).definition()
    assert after.difference(before.to_json()) == [
        "space: depth: int 1..3 -> int 1..5",
        "space: optimizer: removed",
        "seed: 0 -> 3",
    ]


def test_a_space_of_another_name_with_the_same_content_is_no_difference() -> None:
    renamed = SearchSpace(name="mine", description="", parameters=FLAT.parameters, fixed=FLAT.fixed)
    before = sweep_config().definition().to_json()
    assert sweep_config(space=renamed).definition().difference(before) == []


def test_the_definition_is_plain_json() -> None:
    definition = sweep_config(dataset=NOTE).definition().to_json()
    assert json.loads(json.dumps(definition)) == definition
    assert set(definition) == {"version", *Definition.model_fields}


def test_a_trials_configuration_has_the_fixed_values_and_only_what_exists() -> None:
    assert sweep_config().configuration({"depth": 2, "lr": 0.1}) == {
        "depth": 2,
        "lr": 0.1,
        "optimizer": "sgd",
    }
    config = sweep_config(space=CONDITIONAL)
    assert config.configuration({"optimizer": "adamw", "lr": 0.1}) == {"optimizer": "adamw", "lr": 0.1}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"enqueue": [{"lr": 7.0}]}, "'lr' is 7.0, but has to be"),
        ({"enqueue": [{"lr": 0.1}, {"width": 8}]}, "has no parameter 'width'"),
        ({"enqueue": [{"optimizer": "sgd"}]}, "'optimizer' is fixed in space 'flat'; leave it out"),
        ({"enqueue": [{"momentum": 0.9}], "space": CONDITIONAL}, "'momentum' exists only when"),
        ({"enqueue": [{"depth": 1}], "space": DISCRETE, "sampler": "grid"}, "a grid tries everything"),
    ],
)
def test_what_the_space_does_not_hold_cannot_be_enqueued(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        sweep_config(**fields)


def test_study_and_checkpoints_lie_in_the_sweeps_folder_unless_told_otherwise(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    assert config.storage_url == f"sqlite:///{tmp_path}/try/study.db"
    assert config.checkpoint_root == f"{tmp_path}/try/checkpoints"
    elsewhere = sweep_config(storage="postgresql+psycopg://db/x", checkpoints="s3://bucket/x")
    assert (elsewhere.storage_url, elsewhere.checkpoint_root) == (
        "postgresql+psycopg://db/x",
        "s3://bucket/x/try",
    )


def test_an_interrupted_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_config(tmp_path, trials=4).save()

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep_config(tmp_path, trials=40).save()
    assert SweepConfig.load("try", tmp_path).trials == 4
    assert sweep_names(tmp_path) == ["try"]


def test_a_moved_sweep_is_found_where_it_is_now(tmp_path: Path) -> None:
    sweep_config(tmp_path / "here").save()
    (tmp_path / "here").rename(tmp_path / "there")
    assert SweepConfig.load("try", tmp_path / "there").folder == tmp_path / "there" / "try"


@pytest.mark.parametrize("name", ["missing", "../b", "", "half-made"])
def test_an_unknown_sweep_lists_those_there_are(tmp_path: Path, name: str) -> None:
    for there in ("b", "a"):
        sweep_config(tmp_path, name=there).save()
    (tmp_path / "half-made").mkdir()
    with pytest.raises(UserError, match="the sweeps in it are a, b: check the name"):
        SweepConfig.load(name, tmp_path)


def test_a_file_of_version_1_is_read_whole(tmp_path: Path) -> None:
    config = sweep_config(**{**OTHER_VALUES, "enqueue": [], "sweeps_dir": tmp_path})
    config.save("id")
    file = config.folder / "sweep.json"
    before = of_version_1(json.loads(file.read_text()))
    assert {"checkpoint_uri", "time_budget_s", "trial_timeout_s", "cleanup_time_s"} <= before.keys()
    file.write_text(json.dumps(before))
    assert SweepConfig.load(config.name, tmp_path) == config


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_fields_old_name_is_still_taken_and_told_as_it_was_written(old: str, new: str) -> None:
    value = OTHER_VALUES[new]
    assert getattr(sweep_config(**{old: value}), new) == value
    with pytest.raises(ValidationError) as refusal:
        sweep_config(**{old: [1]})
    assert one_line(refusal.value).startswith(f"`{old}=[1]`: ")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), (7, 7), (0.5, 0.5)]
)
def test_a_duration_is_seconds_or_says_its_unit(text: object, seconds: float) -> None:
    assert sweep_config(time_budget=text).time_budget == seconds


@pytest.mark.parametrize("text", ["soon", "90", "0s", "-1m", "nans", "", "2 weeks"])
def test_another_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValidationError, match="write a positive number and a unit, such as 90s"):
        sweep_config(cleanup_time=text)


FEWEST = {"name": "try", "space": FLAT, "objective": "package.module:function", "max_epochs": 3, "trials": 4}


# What version 1 took where nobody said.
OF_THEN = {"sampler": "tpe", "pruner": "asha"}


@pytest.mark.parametrize("version", [3, 99, "1", None])
def test_a_file_of_a_later_version_is_refused(tmp_path: Path, version: object) -> None:
    sweep_config(tmp_path).save()
    file = tmp_path / "try" / "sweep.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": version}))
    with pytest.raises(UserError, match=f"has version {version!r}, written by a later version"):
        SweepConfig.load("try", tmp_path)


OPTIONAL = [key for key, field in Definition.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize("key", OPTIONAL)
def test_what_an_earlier_versions_definition_lacks_has_the_default_of_then(key: str) -> None:
    now = SweepConfig.model_validate({**FEWEST, **OF_THEN}).definition()
    before = {name: value for name, value in now.to_json().items() if name not in ("version", key)}
    assert now.difference(before) == []
    other = {**OTHER_VALUES, "sampler": "random"}[key]
    changed = SweepConfig.model_validate({**FEWEST, **OF_THEN, key: other}).definition().to_json()[key]
    assert now.difference({**before, key: changed}) == [f"{key}: {changed!r} -> {now.to_json()[key]!r}"]


@pytest.mark.parametrize(("epochs", "pruner"), [(2, "none"), (3, "asha"), (26, "asha"), (27, "hyperband")])
def test_an_earlier_versions_auto_is_the_pruner_that_it_stood_for(epochs: int, pruner: str) -> None:
    config = SweepConfig.model_validate({**FEWEST, "max_epochs": epochs, "sampler": "tpe", "pruner": pruner})
    before = {**config.definition().to_json(), "version": 1, "pruner": "auto"}
    assert config.definition().difference(before) == []


def test_what_an_earlier_versions_file_lacks_has_the_default_of_then(tmp_path: Path) -> None:
    config = SweepConfig.model_validate({**FEWEST, **OF_THEN, "sweeps_dir": tmp_path})
    config.save()
    file = tmp_path / "try" / "sweep.json"
    saved = of_version_1(json.loads(file.read_text()))
    file.write_text(json.dumps({key: saved[key] for key in FEWEST}))
    assert SweepConfig.load("try", tmp_path) == config


def test_what_a_definition_has_that_is_not_known_here_is_a_difference() -> None:
    known = sweep_config().definition()
    assert known.difference({**known.to_json(), "colour": "red"}) == ["colour: 'red' -> None"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"name": "try"}', '{"colour": 1}', "\x00"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    sweep_config(tmp_path).save()
    (tmp_path / "try" / "sweep.json").write_text(text)
    with pytest.raises(UserError, match=r"sweep\.json cannot be read"):
        SweepConfig.load("try", tmp_path)


def test_a_retraining_of_an_earlier_version_finds_its_training_function() -> None:
    before = sweep_config(objective="search.repeats:train_repeat")
    assert before.objective == "search.finalists.repeats:train_repeat"
    stored = before.definition().to_json() | {"objective": "search.repeats:train_repeat"}
    assert before.definition().difference(stored) == []
