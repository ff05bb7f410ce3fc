"""Before a sweep starts: that a launch is new, and what a resume continues with."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from pydantic import ValidationError
from sqlalchemy import make_url

from search.cifar.sweep import check_unchanged
from search.config.folder_file import CONFIG_FILE
from search.config.model import one_line
from search.config.places import local_path, sqlite_file, sweeps_root
from search.config.run_settings import URL_FIELDS
from search.config.size import sized
from search.config.sweep_config import SweepConfig
from search.errors import Step, UserError
from search.results.cost import Cost
from search.study.database import NoStudies, check_url, opened_storage, printable
from search.study.opening import NoStudyYet, existing_study, known_study
from search.study.reading import TrialCount, check_unfinished, records_of


def fresh_name(called: str, sweeps_dir: Path, storage: str | None = None) -> str:
    """A name with the first number that no sweep has, in the folder or the storage: `quickstart-1`.

    Args:
        called: a space, by name or file, or a sweep file's stem.
        sweeps_dir: where sweeps lie.
        storage: database that sweeps share.

    Raises:
        UserError: the storage does not answer.
    """
    name = Path(called).name.removesuffix(".py")
    stem = re.sub(r"[^A-Za-z0-9._-]+|^[^A-Za-z0-9]+", "-", name)[:50].strip("-") or "sweep"
    names = (f"{stem}-{number}" for number in itertools.count(1))
    taken = _study_names(storage)
    return next(name for name in names if name not in taken and not (sweeps_dir / name).exists())


def check_new(config: SweepConfig) -> None:
    """Refuse to launch what exists, or where nothing can be written. Leaves nothing behind.

    Raises:
        UserError: names the resume command, or the folder.
    """
    if (config.folder / CONFIG_FILE).exists():
        resume = Step("resume", config.name, config.sweeps_dir, "resume it")
        raise UserError(f"sweep {config.name!r} exists: {resume}, or choose another name", resume)
    if (launches := _launches_of(config)) is not None:
        by = f", by `{launches[-1]['command']}` on {launches[-1]['host']}" if launches else ""
        raise UserError(
            f"sweep {config.name!r} exists in storage {printable(config.storage_url)}{by}, and its folder is "
            f"not in {config.sweeps_dir}: choose another name, or resume it with the `sweeps_dir` it lies in"
        )
    if config.storage is not None and _same_database(config.storage, config.tracking_uri):
        raise UserError(
            f"`storage` and `tracking_uri` name the same database, {printable(config.storage)}: give MLflow "
            "one of its own, for both keep their schema's version in a table of one name"
        )
    nearest = next(path for path in config.folder.absolute().parents if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(
            f"sweeps folder {config.sweeps_dir}: {nearest} cannot be written; choose another `sweeps_dir`"
        )


def resumed(name: str, sweeps_dir: Path, changes: Mapping[str, Any]) -> SweepConfig:
    """The configuration that a sweep is resumed with.

    Args:
        name: of the sweep.
        sweeps_dir: where it lies.
        changes: fields that are to differ from now on; None unsets one that may be unset. A time budget is of
            this resume alone, for the launch's is used up. A size, in trials or epochs, takes the place of
            the one before.

    Raises:
        UserError: there is no such sweep, its study or tracking store is gone, a value is wrong, it has more
            trials or epochs already, or the space's file or the data have changed.
    """
    config = SweepConfig.load(name, sweeps_dir, given=changes.keys() & set(URL_FIELDS))
    try:
        config = SweepConfig.model_validate(sized({**dict(config), "time_budget": None}, changes))
    except ValidationError as error:
        raise UserError(one_line(error)) from error
    _check_study(config, changes)
    check_unchanged(config)
    return config


def check_skippable(config: SweepConfig, numbers: Sequence[int]) -> None:
    """Refuse, before anything starts, to skip trials that are not unfinished.

    Raises:
        UserError: names those that are; or the study cannot be read.
    """
    if not numbers:
        return
    with existing_study(config) as (_, study):
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for number in numbers:
        check_unfinished(number, [trial.number for trial in running], config.name)


def _same_database(storage: str, tracking_uri: str) -> bool:
    if "://" not in tracking_uri or tracking_uri.startswith(("http://", "https://")):
        return False
    one, other = check_url(storage), make_url(tracking_uri)
    if one.drivername == "sqlite" or other.drivername == "sqlite":
        return sqlite_file(storage) is not None and sqlite_file(storage) == sqlite_file(tracking_uri)
    return (one.host, one.port, one.database) == (other.host, other.port, other.database)


def check_tracking_there(config: SweepConfig) -> None:
    """Refuse to make a tracking store anew where a sweep's was: it will have been moved.

    Raises:
        UserError: it is not there; says where it was looked for, and what to do.
    """
    place = local_path(config.tracking_uri)
    if place is None or place.exists():
        return
    beside = sweeps_root(config.sweeps_dir, config.kind).parent / place.name
    moved_to = shlex.quote(config.tracking_uri.replace(str(place), str(beside))) if beside.exists() else "URI"
    sync = Step("sync", config.name, config.sweeps_dir, "rebuild it from the study")
    raise UserError(
        f"the tracking store of sweep {config.name!r} is not there ({place}): if it was moved, say where "
        f"with `tracking_uri={moved_to}`; if it is lost, {sync}",
        sync,
    )


def _check_study(config: SweepConfig, changes: Mapping[str, Any]) -> None:
    """That the study is where the sweep says, and has no more trials or epochs than are wanted now."""
    try:
        with existing_study(config, whole=False) as (_, study):
            existing = TrialCount().of(study.get_trials(deepcopy=False))
            records = records_of(study) if changes.keys() & {"budget", "core_hours", "gpu_hours"} else []
    except NoStudyYet:
        return
    if "trials" in changes and config.trials is not None and config.trials < existing:
        raise UserError(
            f"`trials={config.trials}`: sweep {config.name!r} has {existing} already; give more to let it "
            "grow, or leave `trials` out to finish those"
        )
    trained = sum(len(record.epochs) for record in records)
    if config.whole_epochs is not None and config.whole_epochs < trained:
        raise UserError(
            f"`budget={config.budget}`: sweep {config.name!r} has trained {trained} epochs already; give "
            "more to let it grow, or leave `budget` out to finish those"
        )
    _check_hours(config, changes, Cost.of(records))
    if "tracking_uri" not in changes and known_study(config) is not None:
        check_tracking_there(config)


def _check_hours(config: SweepConfig, changes: Mapping[str, Any], cost: Cost | None) -> None:
    """That hours which are given now are more than the sweep has taken."""
    for field, unit in (("core_hours", "core-hours"), ("gpu_hours", "GPU-hours")):
        limit, taken = getattr(config, field), 0.0 if cost is None else getattr(cost, field)
        if field in changes and limit is not None and limit <= taken:
            raise UserError(
                f"`{field}={limit:g}`: sweep {config.name!r} has taken {taken:.2g} {unit} already; give more "
                f"to let it go on, or leave `{field}` out"
            )


def _study_names(storage: str | None) -> list[str]:
    if storage is None:
        return []
    check_url(storage)
    try:
        with opened_storage(storage, create=False) as opened:
            return optuna.get_all_study_names(opened)
    except NoStudies:
        return []


def _launches_of(config: SweepConfig) -> list[dict[str, Any]] | None:
    """The launches that the database's study of this name has noted; None if it has none of that name."""
    if config.storage is None:  # in a folder of its own, where nobody else's can be
        return None
    check_url(config.storage)
    try:
        with opened_storage(config.storage, create=False) as storage:
            if config.name not in optuna.get_all_study_names(storage):
                return None
            study = optuna.load_study(study_name=config.name, storage=storage)
            launches: list[dict[str, Any]] = study.user_attrs.get("launches", [])
            return launches
    except NoStudies:
        return None
