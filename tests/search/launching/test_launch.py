"""A launch is new or refused with the command that goes on; a resume takes the sweep as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sweep_makers import open_ledger, run_trial, sweep_config

from scripts import resume_sweep
from scripts.commands import command
from scripts.options import option_name
from search.cifar.sweep import cifar_config, data_config, data_of
from search.config.model import is_duration
from search.config.run_settings import RunSettings
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.launching.launch import check_new, fresh_name, resumed
from search.study.database import opened_storage


def everything(folder: Path) -> list[Path]:
    """All that lies below a folder."""
    return sorted(folder.rglob("*"))


def test_the_first_free_number_names_a_sweep(tmp_path: Path) -> None:
    assert fresh_name("quickstart", tmp_path) == "quickstart-1"
    for taken in (1, 2, 4):
        sweep_config(tmp_path, name=f"quickstart-{taken}").save()
    assert fresh_name("quickstart", tmp_path) == "quickstart-3"
    assert fresh_name("some/where/my_space.py", tmp_path) == "my_space-1"
    assert fresh_name("night.v2", tmp_path) == "night.v2-1"


def test_a_new_sweep_is_let_through_and_nothing_is_made(tmp_path: Path) -> None:
    check_new(sweep_config(tmp_path / "not" / "there" / "yet"))
    check_new(sweep_config(tmp_path, storage=f"sqlite:///{tmp_path / 'shared.db'}"))
    assert everything(tmp_path) == []


def test_a_sweep_that_exists_is_refused_with_the_command_that_goes_on(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    config.save()
    with pytest.raises(UserError, match="'try' exists: resume it, or choose another name"):
        check_new(config)


def test_a_study_of_that_name_in_the_storage_is_a_sweep_too(
    sqlite_storage: RDBStorage, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    optuna.create_study(study_name="taken", storage=sqlite_storage)
    check_new(sweep_config(tmp_path / "sweeps", name="free", storage=url))
    with pytest.raises(UserError, match="'taken' exists"):
        check_new(sweep_config(tmp_path / "sweeps", name="taken", storage=url))


def test_a_storage_that_cannot_be_used_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="scheme 'mysql' is not known"):
        check_new(sweep_config(tmp_path, storage="mysql://host/x"))
    assert everything(tmp_path) == []


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweeps").write_text("")
    with pytest.raises(UserError, match="sweeps cannot be written; choose another `sweeps_dir`"):
        check_new(sweep_config(tmp_path / "sweeps"))


def test_a_folder_without_rights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root, who runs tests in containers, may write all
    with pytest.raises(UserError, match=f"{tmp_path} cannot be written"):
        check_new(sweep_config(tmp_path / "sweeps"))


def test_commands_do_without_uv_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV")
    assert command("resume_sweep.py", sweep_config(Path("sweeps"))) == "python scripts/resume_sweep.py try"


def test_commands_name_the_folder_only_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    assert command("resume_sweep.py", sweep_config(Path("sweeps"))) == "uv run scripts/resume_sweep.py try"
    assert command("compare_trials.py", sweep_config(tmp_path)) == (
        f"uv run scripts/compare_trials.py try --sweeps-dir {tmp_path}"
    )


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> SweepConfig:
    """A sweep of the digits, saved as by a launch."""
    folder = tmp_path_factory.mktemp("launched")
    data = data_config("digits", folder / "data", 100, 50)
    config = cifar_config(
        space="quickstart",
        data=data,
        name="try",
        max_epochs=2,
        trials=3,
        time_budget=60,
        concurrency=2,
        sweeps_dir=folder / "sweeps",
    )
    config.save()
    return config


def test_a_resume_is_the_launch_but_for_its_time_budget(launched: SweepConfig) -> None:
    again = resumed("try", launched.sweeps_dir, changes={})
    assert again == launched.model_copy(update={"time_budget": None})


def test_what_is_given_changes_and_what_is_not_stays(launched: SweepConfig) -> None:
    again = resumed("try", launched.sweeps_dir, {"trials": 40, "time_budget": 9.0})
    assert (again.trials, again.concurrency, again.time_budget) == (40, 2, 9.0)


# For each field of a run: what was launched with, and what a resume makes of it.
SET: dict[str, tuple[Any, Any]] = {
    "trials": (3, 40),
    "budget": ("10x", "20x"),
    "keep_frozen": (20, 7),
    "keep_frozen_size": (10**9, 10**10),
    "cpus_per_trial": (1.0, 2.0),
    "gpus_per_trial": (0.0, 0.5),
    "concurrency": (2, 3),
    "ray_address": ("here:6379", "there:6379"),
    "time_budget": (60.0, 90.0),
    "core_hours": (60.0, 90.0),
    "gpu_hours": (60.0, 90.0),
    "stop_when": ("worthless", "0.1/h"),
    "finish": (False, True),
    "finish_share": (0.4, 0.3),
    "trial_timeout": (60.0, 90.0),
    "cleanup_time": (5.0, 9.0),
    "max_attempts": (2, 5),
    "first_failures": (2, 0),
    "max_failed_share": (0.2, 1.0),
    "share_after": (2, 9),
    "tracking_uri": ("http://mlflow:5000", "http://other:5000"),
    "checkpoints": ("s3://bucket/x", "s3://bucket/y"),
    "experiment": ("night", "day"),
    "storage": ("postgresql+psycopg://db/x", "postgresql+psycopg://db/y"),
    "keep_checkpoints": (1, 5),
    "loggers": (["tensorboard"], ["wandb", "tensorboard"]),
}
UNSET = [name for name in SET if SweepConfig.model_fields[name].default is None]


@pytest.fixture
def everything_set(launched: SweepConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepConfig:
    """A sweep in which each field of the run was given; its database and servers are not asked."""
    monkeypatch.setattr("search.launching.launch._check_study", lambda config, changes: None)
    fields = {name: before for name, (before, _) in SET.items()}
    config = launched.model_copy(update={**fields, "sweeps_dir": tmp_path})
    config.save()
    return config


def test_every_field_of_a_run_can_be_set_at_a_resume() -> None:
    internal = {"paths", "sweeps_dir", "space_source", "objective_place"}
    assert SET.keys() == RunSettings.model_fields.keys() - internal
    named = {
        name: argument.negatives
        for argument in resume_sweep.app.assemble_argument_collection()
        for name in argument.names
    }
    for name in SET:
        option = option_name(name)
        assert option in named
        assert (f"--no-{option[2:]}" in named) == (name in UNSET or name in ("loggers", "finish"))


@pytest.mark.parametrize("field", SET)
def test_a_field_of_a_run_is_as_before_until_it_is_set(everything_set: SweepConfig, field: str) -> None:
    before, after = SET[field]
    same = resumed("try", everything_set.sweeps_dir, {})
    assert getattr(same, field) == (None if field == "time_budget" else before), "a budget is a launch's own"
    typed = after if field == "loggers" else str(after)
    if is_duration(SweepConfig.model_fields[field]):
        typed = f"{after:g}s"
    changed = resumed("try", everything_set.sweeps_dir, {field: typed})
    other = {"trials": {"budget": None}, "budget": {"trials": None}}.get(field, {})
    assert changed == same.model_copy(update={field: after, **other})


@pytest.mark.parametrize("field", UNSET)
def test_a_field_of_a_run_can_be_taken_back(everything_set: SweepConfig, field: str) -> None:
    assert getattr(resumed("try", everything_set.sweeps_dir, {field: None}), field) is None


@pytest.mark.parametrize("field", sorted(SET.keys() - set(UNSET)))
def test_a_field_that_a_run_needs_cannot_be_taken_back(everything_set: SweepConfig, field: str) -> None:
    with pytest.raises(UserError, match=f"`{field}=None`: "):
        resumed("try", everything_set.sweeps_dir, {field: None})


def test_a_resume_saves_nothing_by_itself(launched: SweepConfig) -> None:
    resumed("try", launched.sweeps_dir, changes={"trials": 40})
    assert SweepConfig.load("try", launched.sweeps_dir).trials == 3


@pytest.mark.parametrize(
    ("changes", "why"), [({"trials": 0}, "`trials=0`: "), ({"concurrency": -1}, "`concurrency=-1`: ")]
)
def test_a_wrong_value_is_refused_in_one_line(
    launched: SweepConfig, changes: dict[str, int], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        resumed("try", launched.sweeps_dir, changes=changes)


def test_an_unknown_sweep_lists_those_there_are(launched: SweepConfig) -> None:
    with pytest.raises(UserError, match=r"no sweep 'tyr' .*; the sweeps in it are try:"):
        resumed("tyr", launched.sweeps_dir, changes={})


def test_a_space_that_was_edited_since_is_refused(launched: SweepConfig, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = (
        "from optuna.distributions import FloatDistribution\nfrom spaces.space import SearchSpace\n"
        "SPACE = SearchSpace(name='mine', description='', parameters={'lr': FloatDistribution(0.1, %s)})\n"
    )
    file.write_text(text % 0.5)
    data = data_of(launched)
    cifar_config(space=str(file), data=data, name="own", max_epochs=2, trials=3, sweeps_dir=tmp_path).save()
    resumed("own", tmp_path, changes={})
    file.write_text(text % 0.9)
    with pytest.raises(UserError, match=r"lr: float 0\.1\.\.0\.5 -> float 0\.1\.\.0\.9"):
        resumed("own", tmp_path, changes={})


def test_a_resume_does_not_shrink_a_sweep(launched: SweepConfig) -> None:
    with opened_storage(launched.storage_url) as storage:
        study = optuna.create_study(study_name=launched.name, storage=storage)
        for _ in range(3):
            study.ask()
        with pytest.raises(UserError, match=r"`trials=2`: sweep 'try' has 3 already"):
            resumed("try", launched.sweeps_dir, changes={"trials": 2})
        assert resumed("try", launched.sweeps_dir, changes={"trials": 3}).trials == 3
        retry = study.ask()
        retry.set_user_attr("retry_of", 0)  # takes the failed trial's place
        assert resumed("try", launched.sweeps_dir, changes={"trials": 3}).trials == 3


def test_a_resume_does_not_take_epochs_away_that_were_trained(tmp_path: Path) -> None:
    config = sweep_config(tmp_path, trials=None, budget=9)
    config.save()
    with opened_storage(config.storage_url) as storage:
        ledger = open_ledger(config, storage)
        run_trial(ledger, [0.1, 0.2, 0.3])
        run_trial(ledger, [0.1, 0.2, 0.3])
    with pytest.raises(UserError, match=r"`budget=5`: sweep 'try' has trained 6 epochs already; give more"):
        resumed("try", tmp_path, changes={"budget": 5})
    assert resumed("try", tmp_path, changes={"budget": "2x"}).budget_epochs == 6
    assert resumed("try", tmp_path, changes={"budget": "40"}).most_trials == 40
    assert resumed("try", tmp_path, changes={"trials": "7"}).most_trials == 7
    both = resumed("try", tmp_path, changes={"trials": "70", "budget": "9x"})
    assert (both.trials, both.budget_epochs) == (70, 27)
    with pytest.raises(UserError, match="how large the sweep is nobody says: give `trials=30`, or `budget="):
        resumed("try", tmp_path, changes={"budget": None})
