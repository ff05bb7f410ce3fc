"""An experiment of a tracking store: found, made where that is wanted, and checked before a write."""

from __future__ import annotations

import logging
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.store.db.db_types import DATABASE_ENGINES

from search.config.names import folder_name
from search.config.places import local_path, sqlite_file
from search.errors import TrackingRefused
from search.tracking.answering import answering
from search.tracking.uri import absolute_uri, creation_lock, printable_uri


class NoExperiment(TrackingRefused):
    """The store has no experiment of that name."""


@dataclass(frozen=True)
class Experiment:
    """An experiment, and the client that reaches it.

    Attributes:
        client: of its tracking store.
        id: MLflow's.
        artifact_location: where its files go; None: its server knows.

    Example:
        >>> experiment = open_experiment(absolute_uri("sqlite:///mlflow.db"), "digits", create=True)
        >>> experiment.client.get_experiment(experiment.id).name
        'digits'
    """

    client: MlflowClient
    id: str
    artifact_location: str | None


def open_experiment(uri: str, name: str, *, create: bool) -> Experiment:
    """Open an experiment.

    Args:
        uri: of the tracking store, absolute; SQLite is created under a lock, because two processes that open
            a fresh file at once leave it unusable.
        name: of the experiment.
        create: make store and experiment if they are not there; else nothing is made.

    Raises:
        TrackingDown: the store does not answer.
        TrackingRefused: the experiment is in the store's trash, its files cannot be written, or it is not
            there and not to be made.
    """
    place = local_path(uri)
    missing = place is not None and not place.exists()
    if missing and not create:
        raise TrackingRefused(
            f"tracking store {printable_uri(uri)} is not there: if it was moved, say where by "
            "`tracking_uri` when the sweep is resumed or retrained"
        )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
    with answering(uri), creation_lock(uri):
        if missing:  # before the store is made
            _check_artifacts(_artifacts_beside(uri, name))
        client = MlflowClient(uri)
        return _existing(client, uri, name, create) or _made(client, uri, name, create)


def check_store(uri: str, experiment: str) -> None:
    """Whether a store answers and will have an experiment; MLflow makes tables where it finds none.

    Raises:
        NoExperiment: it answers, and has none of that name yet.
        TrackingDown: it does not answer, or refuses the experiment.
    """
    with answering(uri):
        ready = not _is_database(uri) or _has_tables(uri)
    if not ready:
        raise NoExperiment(f"tracking store {printable_uri(uri)} has no tables yet")
    _check_artifacts(open_experiment(absolute_uri(uri), experiment, create=False).artifact_location)


def _existing(client: MlflowClient, uri: str, name: str, writes: bool) -> Experiment | None:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return None
    if experiment.lifecycle_stage != "active":
        raise TrackingRefused(
            f"experiment {name!r} is in the trash of {printable_uri(uri)}: restore it with "
            f"`MLFLOW_TRACKING_URI={shlex.quote(printable_uri(uri))} mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}`, or give another `experiment`"
        )
    if writes:
        _check_artifacts(experiment.artifact_location)
    return Experiment(client, str(experiment.experiment_id), experiment.artifact_location)


def _made(client: MlflowClient, uri: str, name: str, create: bool) -> Experiment:
    if not create:
        raise NoExperiment(
            f"tracking store {printable_uri(uri)} has no experiment {name!r}: check `tracking_uri`"
        )
    location = _artifacts_beside(uri, name)
    _check_artifacts(location)
    return Experiment(client, str(client.create_experiment(name, artifact_location=location)), location)


def _artifacts_beside(uri: str, experiment: str) -> str | None:
    """Where a SQLite store keeps an experiment's files; any other knows that itself."""
    file = sqlite_file(uri)
    return None if file is None else file.with_name("mlartifacts").joinpath(folder_name(experiment)).as_uri()


def _check_artifacts(location: str | None) -> None:
    """Whether an experiment's files can be written, if they lie on this machine.

    Raises:
        TrackingRefused: they cannot.
    """
    if location is None or not location.startswith(("file:", "/")):
        return
    folder = Path(url2pathname(urlsplit(location).path) if location.startswith("file:") else location)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise TrackingRefused(
            f"the experiment's files go to {folder}, and {nearest} cannot be written: make it a folder that "
            "can, or choose another `experiment` or `tracking_uri`"
        )


def _is_database(uri: str) -> bool:
    return uri.partition("://")[0].partition("+")[0] in DATABASE_ENGINES


def _has_tables(uri: str) -> bool:
    engine = sa.create_engine(uri)
    try:
        return sa.inspect(engine).has_table("experiments")
    finally:
        engine.dispose()
