"""The checks of a dry run that touch databases and loggers, without leaving anything behind."""

from __future__ import annotations

import contextlib
import os

from search.config.places import sqlite_file
from search.config.sweep_config import SweepConfig
from search.errors import TrackingDown, UserError
from search.loggers.making import check_loggers
from search.results.outlook import check_stop_when
from search.study.database import NoStudies, opened_storage


def check_services(config: SweepConfig) -> None:
    """Whether the study's storage and the tracking store answer, and loggers can be had.

    Local files that are not there yet will be.

    Raises:
        UserError: one of them does not.
    """
    check_loggers(config.loggers)
    check_stop_when(config)
    if config.storage is not None and not _new_file(config.storage):
        # One without studies answers; the launch makes the tables.
        with contextlib.suppress(NoStudies), opened_storage(config.storage, create=False):
            pass
    if not _new_file(config.tracking_uri):
        from search.tracking.experiment import (  # loads MLflow, a second that a first dry run saves
            NoExperiment,
            check_store,
        )

        try:
            check_store(config.tracking_uri, config.experiment)
        except NoExperiment:
            return  # the launch makes it
        except TrackingDown as error:
            raise UserError(f"{error}: check `tracking_uri` and its server") from error


def _new_file(uri: str) -> bool:
    """Whether the URI names a SQLite file that is yet to be made, in a folder where it can be."""
    file = sqlite_file(uri)
    if file is None or file.exists():
        return False
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
        raise UserError(
            f"{uri}: folder {file.parent} is not there or cannot be written; make it or name another"
        )
    return True
