"""Opening a sweep for writing: its folder, its storage, the lease, the ledger."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from search.config import SweepConfig
from search.environment import describe_launch, launch_difference
from search.errors import UserError
from search.lease import Lease
from search.ledger import Ledger
from search.storage import open_storage
from search.sweep_file import CONFIG_FILE

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_study(config: SweepConfig, token: str | None = None) -> Iterator[tuple[Ledger, Lease]]:
    """Hold the sweep's study and lease, with the configuration written beside it.

    Args:
        config: the sweep.
        token: of the lease that this driver may still hold from before the storage went away.

    Raises:
        UserError: the folder or storage cannot be used, another driver is at work, or the definition changed.
    """
    with _writing_to(config):
        config.folder.mkdir(parents=True, exist_ok=True)
    storage = open_storage(config.storage_url)
    try:
        with Lease.hold(storage.engine, config.name, token) as lease:
            with _writing_to(config):
                if not (config.folder / CONFIG_FILE).exists():
                    config.save()  # first of all: from here on the sweep can be resumed
            ledger = Ledger.open(config, storage)
            with _writing_to(config):
                config.save()
            if lease.after_death:
                ledger.note_dead_driver()
            _note_launch(ledger)
            yield ledger, lease
    finally:
        storage.remove_session()
        storage.engine.dispose()


def check_idle(config: SweepConfig) -> None:
    """Refuse to use what a sweep has found while a driver is still finding more.

    Raises:
        UserError: one is at work; names its host and pid.
    """
    storage = open_storage(config.storage_url)
    try:
        with Lease.hold(storage.engine, config.name):
            pass  # to be had: nobody drives it
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextlib.contextmanager
def _writing_to(config: SweepConfig) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = error.strerror or error
        raise UserError(
            f"sweep folder {config.folder}: {cause}; make room, or choose --sweeps-dir"
        ) from error


def _note_launch(ledger: Ledger) -> None:
    now = describe_launch()
    before = ledger.append_launch(now)
    changed = launch_difference(before, now) if before else []
    if changed:
        _logger.warning("not what this sweep was last run with: %s", "; ".join(changed))
