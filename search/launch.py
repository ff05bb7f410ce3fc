"""Before a sweep starts: that a launch is new, and what a resume goes on with."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from pydantic import ValidationError
from sqlalchemy import make_url

from search.cifar_sweep import check_unchanged
from search.config import SweepConfig, one_line
from search.errors import UserError
from search.ledger import counted
from search.places import absolute, sqlite_file
from search.storage import check_url, open_storage, printable
from search.sweep_file import CONFIG_FILE, URL_OPTIONS


def fresh_name(space: str, sweeps_dir: Path) -> str:
    """The space's name with the first number that no sweep has: `quickstart-1`."""
    stem = re.sub(r"[^A-Za-z0-9._-]+|^[^A-Za-z0-9]+", "-", Path(space).stem).strip("-") or "sweep"
    return next(name for n in itertools.count(1) if not (sweeps_dir / (name := f"{stem}-{n}")).exists())


def check_new(config: SweepConfig) -> None:
    """Refuse to launch what exists, or where nothing can be written. Leaves nothing behind.

    Raises:
        UserError: names the resume command, or the folder.
    """
    if (config.folder / CONFIG_FILE).exists() or _study_exists(config):
        raise UserError(
            f"sweep {config.name!r} exists: go on with `{resume_command(config)}`, or choose another name"
        )
    if config.storage is not None and _same_database(config.storage, config.tracking_uri):
        raise UserError(
            f"--storage and --tracking-uri name the same database, {printable(config.storage)}: give MLflow "
            "one of its own, for both keep their schema's version in a table of one name"
        )
    nearest = next(path for path in config.folder.absolute().parents if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(
            f"sweeps folder {config.sweeps_dir}: {nearest} cannot be written; choose another --sweeps-dir"
        )


def resumed(
    name: str, sweeps_dir: Path, *, time_budget_s: float | None, changes: Mapping[str, Any]
) -> SweepConfig:
    """The configuration that a sweep is resumed with.

    Args:
        name: of the sweep.
        sweeps_dir: where it lies.
        time_budget_s: of this resume alone; the launch's budget is used up.
        changes: fields that are to differ from now on; those that are None stay.

    Raises:
        UserError: there is no such sweep, a value is wrong, it has more trials already, or the space's file
            or the data have changed.
    """
    wanted = {field: value for field, value in changes.items() if value is not None}
    config = SweepConfig.load(name, sweeps_dir, given=wanted.keys() & URL_OPTIONS.keys())
    try:
        config = SweepConfig.model_validate({**dict(config), **wanted, "time_budget_s": time_budget_s})
    except ValidationError as error:
        raise UserError(one_line(error)) from error
    check_unchanged(config)
    if "trials" in wanted:
        _check_growth(config)
    return config


def resume_command(config: SweepConfig) -> str:
    """What to type to go on with a sweep."""
    return command("resume_sweep.py", config)


def command(script: str, config: SweepConfig) -> str:
    """What to type to run a script on a sweep: in the way in which this one was run, with uv or without."""
    usual = config.sweeps_dir == absolute(Path("sweeps")) and "SWEEPS_DIR" not in os.environ
    folder = "" if usual else f" --sweeps-dir {shlex.quote(str(config.sweeps_dir))}"
    return f"{typed(script)} {config.name}{folder}"


def typed(script: str) -> str:
    """How to begin a command that runs a script."""
    under_uv = "UV" in os.environ  # `uv run` sets it
    return f"uv run scripts/{script}" if under_uv else f"python -m scripts.{script.removesuffix('.py')}"


def _same_database(storage: str, tracking_uri: str) -> bool:
    if "://" not in tracking_uri or tracking_uri.startswith(("http://", "https://")):
        return False
    one, other = check_url(storage), make_url(tracking_uri)
    if one.drivername == "sqlite" or other.drivername == "sqlite":
        return sqlite_file(storage) is not None and sqlite_file(storage) == sqlite_file(tracking_uri)
    return (one.host, one.port, one.database) == (other.host, other.port, other.database)


def _check_growth(config: SweepConfig) -> None:
    storage = open_storage(config.storage_url)
    try:
        study = optuna.load_study(study_name=config.name, storage=storage)
        there = counted(study.get_trials(deepcopy=False))
    except KeyError:  # Optuna's word for a study that there is not
        there = 0
    finally:
        storage.remove_session()
        storage.engine.dispose()
    if config.trials < there:
        raise UserError(
            f"--trials {config.trials}: sweep {config.name!r} has {there} already; give more to let it grow, "
            "or leave --trials out to finish those"
        )


def _study_exists(config: SweepConfig) -> bool:
    """Whether the database already holds a study of this name; a SQLite file of its own can not."""
    if config.storage is None:
        return False
    url = check_url(config.storage_url)
    if url.drivername == "sqlite" and not Path(str(url.database)).exists():
        return False
    storage = open_storage(config.storage_url)
    try:
        return config.name in optuna.get_all_study_names(storage)
    finally:
        storage.engine.dispose()
