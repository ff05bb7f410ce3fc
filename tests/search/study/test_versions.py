"""What earlier versions wrote is gone on with; what a later one wrote is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sweep_makers import open_ledger, sweep_config

from search.config.definition import Definition
from search.config.sweep_config import SweepConfig
from search.errors import UserError
from search.study.launch_notes import describe_launch, launch_difference


def rewrite(storage: RDBStorage, **changes: Any) -> None:
    """Change the study's definition; None leaves a key out."""
    study = optuna.load_study(study_name="try", storage=storage)
    definition = {**study.user_attrs["definition"], **changes}
    left = {key: value for key, value in definition.items() if value is not None}
    study.set_user_attr("definition", left)


OPTIONAL = [key for key, field in Definition.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize("key", OPTIONAL)
def test_a_study_from_before_a_key_existed_is_gone_on_with(sqlite_storage: RDBStorage, key: str) -> None:
    config = sweep_config(sampler="tpe", pruner="asha")
    ledger = open_ledger(config, sqlite_storage)
    number = ledger.start(ledger.ask().number).number
    rewrite(sqlite_storage, **{key: None, "version": None})
    assert open_ledger(config, sqlite_storage).unfinished() == [number]


@pytest.mark.parametrize("version", [3, "2.0"])
def test_a_study_of_a_later_version_is_refused(sqlite_storage: RDBStorage, version: object) -> None:
    open_ledger(sweep_config(), sqlite_storage)
    rewrite(sqlite_storage, version=version)
    told = re.escape(f"definition of version {version!r}, written by a later")
    with pytest.raises(UserError, match=rf"{told} .* reads up to 2"):
        open_ledger(sweep_config(), sqlite_storage)


def test_a_key_of_a_later_version_is_a_difference(sqlite_storage: RDBStorage) -> None:
    open_ledger(sweep_config(), sqlite_storage)
    rewrite(sqlite_storage, colour="red")
    with pytest.raises(UserError, match=r"another definition \(colour: 'red' -> None\)"):
        open_ledger(sweep_config(), sqlite_storage)


def test_a_file_from_before_a_key_existed_is_read(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    config.save()
    file = config.folder / "sweep.json"
    saved = json.loads(file.read_text())
    del saved["kind"], saved["definition"]["enqueue"], saved["run"]["time_budget"], saved["run"]["paths"]
    file.write_text(json.dumps(saved))
    assert SweepConfig.load("try", tmp_path) == config


def test_a_key_that_a_file_may_not_lack_is_named(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    config.save()
    file = config.folder / "sweep.json"
    saved = json.loads(file.read_text())
    del saved["definition"]["max_epochs"]
    file.write_text(json.dumps(saved))
    with pytest.raises(UserError, match=r"cannot be read \(max_epochs is missing\): restore the file"):
        SweepConfig.load("try", tmp_path)


def test_a_launch_that_an_earlier_version_noted_can_be_compared() -> None:
    now = describe_launch()
    assert launch_difference({}, now) != []
    assert launch_difference({**now, "versions": {**now["versions"], "gone": "1"}}, now) == []


def test_a_definition_without_a_space_is_told_as_any_other_difference() -> None:
    new = sweep_config().definition()
    old = {key: value for key, value in new.to_json().items() if key != "space"}
    [line] = new.difference(old)
    assert line.startswith("space: None -> ")
