"""Opening a sweep for writing: its folder, its storage, the lease, the ledger."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import optuna

from search.config import folder_file
from search.config.credentials import hide
from search.config.folder_file import CONFIG_FILE
from search.config.sweep_config import SweepConfig
from search.errors import Step, UserError
from search.study.checkpoints import CheckpointStore
from search.study.creating import Policy
from search.study.database import NoStudies, opened_storage, printable, read_one_moment, tune_sqlite
from search.study.launch_notes import describe_launch, launch_difference
from search.study.lease import Lease
from search.study.ledger import Ledger
from search.study.moving import bring_checkpoints
from search.study.writes import SweepStorage

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_study(
    config: SweepConfig, policy: Policy, token: str | None = None
) -> Iterator[tuple[Ledger, Lease]]:
    """Hold the sweep's study and lease, with the configuration written beside it.

    Args:
        config: the sweep.
        policy: what its trials are asked of and judged by.
        token: of the lease that this driver may still hold from before the storage went away.

    Raises:
        UserError: the folder or storage cannot be used, the study is gone, another driver is at work, or the
            definition changed.
    """
    with _writing_to(config):
        config.folder.mkdir(parents=True, exist_ok=True)
    new = known_study(config) is None
    with opened_storage(config.storage_url) if new else _existing_storage(config) as storage:
        if not new:
            _study_in(storage, config)
            tune_sqlite(storage.engine)
        with Lease.hold(storage.engine, config.name, token) as lease:
            with _writing_to(config):
                if not (config.folder / CONFIG_FILE).exists():
                    config.save()  # first of all: from here on the sweep can be resumed
            ledger = Ledger.open(config, storage, policy)
            bring_checkpoints(config, ledger.sweep_id)
            with _writing_to(config):
                config.save(ledger.sweep_id)
            if lease.after_death:
                ledger.launches.note_dead_driver()
            _note_launch(ledger)
            yield ledger, lease


def check_idle(config: SweepConfig) -> None:
    """Refuse to use what a sweep has found while a driver is still finding more.

    Raises:
        UserError: one is at work; names its host and pid.
    """
    with existing_study(config) as (storage, _), Lease.hold(storage.engine, config.name):
        pass  # to be had: nobody drives it


class NoStudyYet(UserError):
    """A sweep whose launch was cut short before it had made the study."""


@contextlib.contextmanager
def existing_study(
    config: SweepConfig, *, one_moment: bool = False, whole: bool = True
) -> Iterator[tuple[SweepStorage, optuna.Study]]:
    """A sweep's study and its storage, which is closed again; nothing is made.

    Args:
        config: the sweep.
        one_moment: a driver may be writing: see `read_one_moment`.
        whole: refuse one that a launch has only begun to make.

    Raises:
        NoStudyYet: it has none.
        UserError: the storage does not answer, or the study is gone from it; says how to go on.
    """
    with _existing_storage(config) as storage:
        if one_moment:
            read_one_moment(storage.engine)
        yield storage, _study_in(storage, config, whole)


@contextlib.contextmanager
def opened_study(config: SweepConfig) -> Iterator[optuna.Study]:
    """A sweep's study, for reading while a driver may write it; its storage is closed again.

    Raises:
        UserError: the storage does not answer, or the study is not there; says how to go on.
    """
    with existing_study(config, one_moment=True) as (_, study):
        yield study


def known_study(config: SweepConfig) -> str | None:
    """The id of the sweep's study; None while there is none, and a launch may make it.

    Earlier versions wrote it down beside the checkpoints alone.
    """
    written = folder_file.study_id(config.folder)
    return written or CheckpointStore(config.checkpoint_root).owner()


@contextlib.contextmanager
def _existing_storage(config: SweepConfig) -> Iterator[SweepStorage]:
    moved = _moved(config)
    remedy = f"check that its server runs and lets you in; if it was moved, {moved}"
    with contextlib.ExitStack() as stack:
        try:
            storage = stack.enter_context(opened_storage(config.storage_url, create=False, remedy=remedy))
        except NoStudies as error:
            raise _gone(config, str(error)) from error
        except UserError as error:
            raise UserError(str(error), moved) from error
        yield storage


def _study_in(storage: SweepStorage, config: SweepConfig, whole: bool = True) -> optuna.Study:
    if config.name not in optuna.get_all_study_names(storage):
        raise _gone(config, f"{printable(config.storage_url)} has no study of that name")
    study = optuna.load_study(study_name=config.name, storage=storage)
    stored, known = study.user_attrs.get("sweep_id"), known_study(config)
    if stored is None and (whole or known is not None):
        raise _gone(config, f"{printable(config.storage_url)} has but the beginnings of one")
    if known not in (None, stored):
        raise _gone(
            config, f"{printable(config.storage_url)} has another of that name, id {stored} and not {known}"
        )
    return study


def _gone(config: SweepConfig, why: str) -> UserError:
    known = known_study(config)
    if known is None:
        resume = Step("resume", config.name, config.sweeps_dir, "resume it")
        return NoStudyYet(
            f"sweep {config.name!r} has no study yet, for its launch was cut short: {resume}", resume
        )
    if not (config.folder / CONFIG_FILE).exists():
        return UserError(
            f"checkpoints {hide(config.checkpoint_root)} are those of another study (id {known}): "
            "choose another name, or other `checkpoints`"
        )
    moved = _moved(config)
    return UserError(
        f"the study of sweep {config.name!r} is gone: {why}. Put it back, or if it was moved, {moved}", moved
    )


def _moved(config: SweepConfig) -> Step:
    return Step("resume", config.name, config.sweeps_dir, "say where", {"storage": "URL"})


@contextlib.contextmanager
def _writing_to(config: SweepConfig) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = error.strerror or error
        raise UserError(f"sweep folder {config.folder}: {cause}; make room, or make it writable") from error


def _note_launch(ledger: Ledger) -> None:
    now = describe_launch()
    before = ledger.launches.append(now)
    changed = launch_difference(before, now) if before else []
    if changed:
        _logger.warning("not what this sweep was last run with: %s", "; ".join(changed))
